//! An operator in the middle of it: has the fronts stand back from a processor, settles what that
//! one holds, has the rest barred there for ever, lets it go, and ends the order.
//!
//! What the operator says has to be true, and only that: a payment is held if it is in the
//! processor's books, and not held if it is not there once nothing more of it can come.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_stack::private_stack::Tool;
use feeway_stack::simulators::Processor;
use serde_json::{Value, json};

use super::simulators::Simulator;

/// How long fronts may take to stand back: an attempt of 30 s, and a take-over.
const WAIT: &str = "--wait=60s";

/// Whatever is inside of a simulator is stored after so long, or never: a delay of 8 s, and
/// 35 s for a late insert.
const INSIDE_AT_MOST: Duration = Duration::from_secs(45);

/// A Redis that is killed may forget what was decided shortly before. So the operator looks
/// again when everything is well, and decides once more what is pinned again.
const LOOKS: usize = 10;
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// What Redis may just not be there for is tried again.
const TRIES_UNTIL: Duration = Duration::from_secs(60);
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// All operators of a run.
#[derive(Debug, Default)]
pub(super) struct Operators {
    at_work: Vec<JoinHandle<Result<Operator>>>,
}

/// One operator, and what came of the work.
#[derive(Debug)]
pub(super) struct Operator {
    tool: Tool,
    processor: &'static str,
    fee: &'static str,
    administration: Processor,
    /// Payments that the processor will never take.
    barred: BTreeSet<String>,
    held: usize,
    released: usize,
    notes: Vec<String>,
}

impl Operators {
    /// Lets one begin. Those who began before go on.
    pub(super) fn start(&mut self, operator: Operator) -> Result<()> {
        let work = thread::Builder::new().name("operator".to_owned());
        let work = work.spawn(move || operator.work());
        self.at_work.push(work.context("cannot start a thread")?);
        Ok(())
    }

    /// Waits until all are done, and says what they did.
    pub(super) fn join(self) -> Result<Vec<String>> {
        let mut told = Vec::new();
        for work in self.at_work {
            let Ok(operator) = work.join() else {
                bail!("an operator panicked");
            };
            let operator = operator?.look_again()?;
            told.push(format!(
                "operator: {} held by {} settled, {} not held released{}",
                operator.held,
                operator.processor,
                operator.released,
                operator.notes.join("")
            ));
        }
        Ok(told)
    }
}

impl Operator {
    pub(super) fn new(tool: Tool, simulator: &Simulator) -> Self {
        Self {
            tool,
            processor: simulator.name,
            fee: simulator.fee,
            administration: simulator.administration,
            barred: BTreeSet::new(),
            held: 0,
            released: 0,
            notes: Vec::new(),
        }
    }

    fn work(mut self) -> Result<Self> {
        let order = ["stand-back", self.processor, "--by=chaos", WAIT];
        if !self.insist(&order)?.0 {
            self.notes
                .push("; the fronts did not stand back".to_owned());
        }
        // Before it is barred: a processor knows what it refuses.
        self.settle_what_is_held()?;
        self.bar()?;
        thread::sleep(INSIDE_AT_MOST);
        self.settle_what_is_held()?;
        self.release()?;
        // Whoever slept may still be about to ask. The bar stays.
        self.insist(&["stand-back", self.processor, "--end"])?;
        Ok(self)
    }

    /// Decides again what Redis has forgotten.
    fn look_again(mut self) -> Result<Self> {
        for _ in 0..LOOKS {
            let pinned = self.pinned()?;
            if self.barred.iter().all(|id| !pinned.contains(id)) {
                return Ok(self);
            }
            self.settle_what_is_held()?;
            self.release()?;
            self.insist(&["stand-back", self.processor, "--end"])?;
            thread::sleep(LOOK_EVERY);
        }
        bail!("what an operator released is pinned again and again")
    }

    /// The ids that are pinned there.
    fn pinned(&self) -> Result<BTreeSet<String>> {
        let (_, said) = self.insist(&["list", "pinned", "--json"])?;
        let mut ids = BTreeSet::new();
        for line in said.lines() {
            let line: Value = serde_json::from_str(line)?;
            if line["processor"] == self.processor {
                let id = line["correlationId"].as_str().context("a line has an id")?;
                ids.insert(id.to_owned());
            }
        }
        Ok(ids)
    }

    /// The lines of the processor's books, by id.
    fn books(&self) -> Result<Vec<(String, String)>> {
        let dump = self.administration.ask("GET", "/admin/dump", "")?;
        let text = dump.text();
        let lines = text.lines().map(|line| {
            let read: Value = serde_json::from_str(line)?;
            let id = read["correlationId"].as_str().context("a line has an id")?;
            Ok((id.to_owned(), line.to_owned()))
        });
        lines.collect()
    }

    fn settle_what_is_held(&mut self) -> Result<()> {
        let pinned = self.pinned()?;
        let mut held = self.books()?;
        held.retain(|(id, _)| pinned.contains(id));
        if held.is_empty() {
            return Ok(());
        }
        let lines: Vec<&str> = held.iter().map(|(_, line)| &**line).collect();
        let file = self.file(&lines.join("\n"))?;
        let path = file.0.to_str().context("a name in UTF-8")?;
        let about = [
            "--processor",
            self.processor,
            "--fee",
            self.fee,
            "--file",
            path,
        ];
        self.held += self.resolve(&about, "settled ")?;
        Ok(())
    }

    /// From now on the processor refuses what is pinned there and not in its books.
    fn bar(&mut self) -> Result<()> {
        let held: BTreeSet<String> = self.books()?.into_iter().map(|(id, _)| id).collect();
        let open = self.pinned()?.into_iter().filter(|id| !held.contains(id));
        self.barred.extend(open);
        if self.barred.is_empty() {
            return Ok(());
        }
        // Another operator may have had others barred there.
        let document = self.administration.ask("GET", "/admin/rules", "")?.text();
        let mut document: Value = serde_json::from_str(&document)?;
        let rule = json!({ "ids": self.barred, "post": { "status": 410, "stores": false } });
        match document["rules"].as_array_mut() {
            Some(rules) => rules.push(rule),
            None => document = json!({ "rules": [rule] }),
        }
        let body = document.to_string();
        self.administration.ask("PUT", "/admin/rules", &body)?;
        Ok(())
    }

    /// Lets go what is barred and not in the books.
    fn release(&mut self) -> Result<()> {
        let held: BTreeSet<String> = self.books()?.into_iter().map(|(id, _)| id).collect();
        let pinned = self.pinned()?;
        let open = self.barred.iter().filter(|id| !held.contains(*id));
        let open = open.filter(|id| pinned.contains(*id));
        let lines: Vec<String> = open
            .map(|id| json!({ "correlationId": id, "held": false }).to_string())
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        let file = self.file(&lines.join("\n"))?;
        let path = file.0.to_str().context("a name in UTF-8")?;
        let about = ["--processor", self.processor, "--file", path];
        self.released += self.resolve(&about, "released ")?;
        Ok(())
    }

    /// Resolves, and returns how many were.
    fn resolve(&self, about: &[&str], word: &str) -> Result<usize> {
        let arguments = [&["resolve", "--yes", "--by=chaos", WAIT], about].concat();
        let (_, said) = self.insist(&arguments)?;
        let count = said.split(word).nth(1).and_then(|rest| {
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
            digits?.parse().ok()
        });
        count.with_context(|| format!("feeway-ctl says {said:?}"))
    }

    /// Runs the tool until it could do its work, well or not: Redis may be away.
    fn insist(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let deadline = Deadline::after(TRIES_UNTIL);
        loop {
            let (code, said) = self.tool.run(arguments)?;
            if matches!(code, Some(0 | 1)) {
                return Ok((code == Some(0), said));
            }
            if deadline.passed() {
                bail!("feeway-ctl {} keeps failing", arguments.join(" "));
            }
            thread::sleep(TRY_AGAIN_AFTER);
        }
    }

    fn file(&self, text: &str) -> Result<Statement> {
        static WRITTEN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = WRITTEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("feeway-chaos-{}-{number}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(Statement(path))
    }
}

/// A file that goes when it was read.
struct Statement(PathBuf);

impl Drop for Statement {
    fn drop(&mut self) {
        // Whoever removed it before wanted that too.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}
