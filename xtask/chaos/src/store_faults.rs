//! Everything that may befall the store while the fronts live: it comes back empty or older, is
//! flushed, demoted, full, loses its functions, or a front's clock goes wrong. Where a person has
//! to act, an operator does: compares the processors' exports and adopts what is there.
//!
//! What is in no front's hands is lost with the store, which nobody can promise otherwise, so
//! processors are slow here and never fail for long: every open payment is in hand.

mod damage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use feeway_machine::clock::{self, Deadline};
use feeway_machine::programs;
use feeway_stack::plan::Plan;
use feeway_stack::private_stack::Tool;
use feeway_stack::simulators::Switch;

use self::damage::Store;
use super::books::Feeway;
use super::faults::Done;
use super::register::Register;
use super::simulators::Simulator;
use super::trial::{Acted, Trial};

/// How long the stack works between two faults, and how long one lasts that ends by itself, in
/// milliseconds.
const WORK_MS: std::ops::Range<u64> = 4_000..8_000;
const FAULT_MS: std::ops::Range<u64> = 3_000..8_000;

/// A copy is older once it lacks more than what a killed Redis may forget.
const OLDER: Duration = Duration::from_secs(8);

const DELAYS_MS: [u32; 4] = [0, 20, 200, 1_000];

/// From the end of a fault until payments are accepted again.
const RECOVERY: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far a clock goes wrong.
const CLOCKS: [&str; 4] = ["-10d", "+10d", "-30s", "+5"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    Older,
    Flushed,
    Demoted,
    DiskFull,
    MemoryFull,
    NoFunctions,
    ClockOff,
}

const FAULTS: [Fault; 8] = [
    Fault::Empty,
    Fault::Older,
    Fault::Flushed,
    Fault::Demoted,
    Fault::DiskFull,
    Fault::MemoryFull,
    Fault::NoFunctions,
    Fault::ClockOff,
];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "store comes back empty",
            Self::Older => "store comes back older",
            Self::Flushed => "store is flushed",
            Self::Demoted => "store is demoted",
            Self::DiskFull => "disk of the store is full",
            Self::MemoryFull => "memory of the store is full",
            Self::NoFunctions => "functions are flushed",
            Self::ClockOff => "clock of a front is off",
        }
    }

    /// Whether the store's past is gone, so that an operator has to act.
    fn loses_the_past(self) -> bool {
        matches!(self, Self::Empty | Self::Older | Self::Flushed)
    }
}

/// What has to be different about the stack: its disk can be made to refuse, and the clock of
/// its last front to go wrong.
pub(super) fn prepare(plan: &mut Plan, folder: &Path) -> Result<()> {
    let mut fronts = plan.processes.iter_mut();
    let last = fronts.rfind(|process| process.name.starts_with("front-"));
    let last = last.context("a stack has a front")?;
    let clock = clock_file(folder);
    fs::write(&clock, "+0")?;
    let text = |path: &Path| Some(path.display().to_string());
    last.environment.extend([
        ("LD_PRELOAD".to_owned(), text(&programs::faketime()?)),
        ("FAKETIME_TIMESTAMP_FILE".to_owned(), text(&clock)),
        (
            "FAKETIME_DONT_FAKE_MONOTONIC".to_owned(),
            Some("1".to_owned()),
        ),
        ("FAKETIME_CACHE_DURATION".to_owned(), Some("1".to_owned())),
    ]);
    damage::prepare(plan)
}

fn clock_file(folder: &Path) -> PathBuf {
    folder.join("clock")
}

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    let mut dice = Rng::with_seed(trial.seed);
    let register = Arc::new(Register::default());
    let load = trial.start_load(0..trial.tickets(), &register)?;
    let mut run = Run {
        trial,
        store: Store::of(&trial.stack)?,
        tool: trial.stack.tool()?,
        done: Done::default(),
        measured: Vec::new(),
    };
    let begin = clock::now();
    let mut bag: Vec<Fault> = Vec::new();
    while begin.elapsed() < trial.length {
        if bag.is_empty() {
            bag.extend(FAULTS);
            dice.shuffle(&mut bag);
        }
        let Some(fault) = bag.pop() else { break };
        for simulator in &trial.simulators {
            let delay = dice.choice(DELAYS_MS).unwrap_or(0);
            simulator.set(&Switch::DelayMs(delay))?;
        }
        run.work(Duration::from_millis(dice.u64(WORK_MS)))?;
        println!("{:8.1} s  {}", begin.elapsed().as_secs_f64(), fault.name());
        let struck = clock::now();
        run.strike(fault, &mut dice)?;
        run.await_recovery()?;
        *run.done.counts.entry(fault.name().to_owned()).or_default() += 1;
        let took = struck.elapsed().as_secs_f64();
        run.measured.push(format!(
            "{}: payments again after {took:.1} s",
            fault.name()
        ));
    }
    let Run { done, measured, .. } = run;
    load.stop();
    println!("Healing …");
    trial.heal()?;
    load.join()?;
    Ok(Acted {
        sightings: register.sightings(),
        done,
        measured,
        ..Acted::default()
    })
}

struct Run<'a> {
    trial: &'a Trial,
    store: Store<'a>,
    tool: Tool,
    done: Done,
    measured: Vec<String>,
}

impl Run<'_> {
    fn work(&self, time: Duration) -> Result<()> {
        let until = Deadline::after(time);
        while !until.passed() {
            self.trial.interrupt.check()?;
            thread::sleep(until.remaining().min(LOOK_EVERY));
        }
        Ok(())
    }

    /// Does it, lets it last, and ends it.
    fn strike(&self, fault: Fault, dice: &mut Rng) -> Result<()> {
        let time = Duration::from_millis(dice.u64(FAULT_MS));
        let told = self.told()?;
        match fault {
            Fault::Empty => self.store.replace(|_files| Ok(()))?,
            Fault::Older => {
                let copy = self.trial.folder.join("copy");
                self.store.copy(&copy)?;
                self.work(OLDER)?;
                self.store
                    .replace(|files| damage::copy_folder(&copy, files))?;
                fs::remove_dir_all(&copy)?;
            }
            Fault::Flushed => self.store.order(&["FLUSHALL"])?,
            Fault::Demoted => {
                self.store.order(&["REPLICAOF", "127.0.0.1", "1"])?;
                self.work(time)?;
                self.store.order(&["REPLICAOF", "NO", "ONE"])?;
            }
            Fault::DiskFull => {
                self.store.set_disk_full(true)?;
                self.work(time)?;
                self.store.set_disk_full(false)?;
            }
            Fault::MemoryFull => {
                let limit = self.store.memory_limit()?;
                self.store.order(&["CONFIG", "SET", "maxmemory", "1"])?;
                self.work(time)?;
                self.store.order(&["CONFIG", "SET", "maxmemory", &limit])?;
            }
            Fault::NoFunctions => self.store.order(&["FUNCTION", "FLUSH"])?,
            Fault::ClockOff => {
                let clock = clock_file(&self.trial.folder);
                fs::write(&clock, dice.choice(CLOCKS).unwrap_or("+0"))?;
                self.work(time)?;
                fs::write(&clock, "+0")?;
            }
        }
        if fault.loses_the_past() {
            self.await_stand_back(&told)?;
            self.adopt()?;
        }
        Ok(())
    }

    /// How often each front has said that the store has lost its past.
    fn told(&self) -> Result<Vec<usize>> {
        let fronts = self.trial.stack.fronts();
        let told = fronts.iter().map(|front| {
            let log = fs::read_to_string(self.trial.stack.log(front))?;
            Ok(log.matches("Redis has lost data").count())
        });
        told.collect()
    }

    /// Every front must notice by itself.
    fn await_stand_back(&self, before: &[usize]) -> Result<()> {
        let deadline = Deadline::after(RECOVERY);
        while self
            .told()?
            .iter()
            .zip(before)
            .any(|(now, before)| now == before)
        {
            if deadline.passed() {
                bail!("a front does not notice that the store has lost data");
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// What an operator does. Nobody may adopt before the processors were compared.
    fn adopt(&self) -> Result<()> {
        if self.insist(&["adopt-store", "--yes", "--by=chaos"])? {
            bail!("the store was adopted before any processor was compared");
        }
        for simulator in &self.trial.simulators {
            self.compare(simulator)?;
        }
        if !self.insist(&["adopt-store", "--yes", "--by=chaos"])? {
            bail!("the store was not adopted although every processor was compared");
        }
        Ok(())
    }

    /// Settles what only the processor has, and looks that nothing differs then.
    fn compare(&self, simulator: &Simulator) -> Result<()> {
        let file = self.trial.folder.join("export.jsonl");
        fs::write(&file, simulator.ask("GET", "/admin/dump", "")?.text())?;
        let path = file.to_str().context("a name in UTF-8")?;
        let about = ["reconcile", path, "--processor", simulator.name];
        let fee = format!("--settle-with-fee={}", simulator.fee);
        let settle = [&about[..], &[&fee, "--fee-differs", "--yes", "--by=chaos"]].concat();
        self.insist(&settle)?;
        if !self.insist(&about)? {
            bail!(
                "the ledger and {} differ after a reconciliation",
                simulator.name
            );
        }
        Ok(())
    }

    /// Runs the tool until it could do its work, well or not: Redis may just have started.
    fn insist(&self, arguments: &[&str]) -> Result<bool> {
        let deadline = Deadline::after(RECOVERY);
        loop {
            match self.tool.run(arguments)?.0 {
                Some(0) => return Ok(true),
                Some(1) => return Ok(false),
                code if deadline.passed() => {
                    bail!("feeway-ctl {} ends with {code:?}", arguments.join(" "))
                }
                _ => thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// The books are read out again, and so payments are accepted.
    fn await_recovery(&self) -> Result<()> {
        let deadline = Deadline::after(RECOVERY);
        let mut feeway = Feeway::at(&self.trial.entrance);
        while let Err(error) = feeway.summary("") {
            self.trial.interrupt.check()?;
            if deadline.passed() {
                return Err(error.context("the stack does not recover"));
            }
        }
        Ok(())
    }
}
