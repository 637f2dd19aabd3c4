//! One process that owns all others of a stack: it starts them in order, starts again
//! those that end, and stops them when it is told to.

pub(crate) mod keeper;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_machine::process_id::ProcessId;
use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::keeper::{Event, Stopping, keep};
use crate::logs;
use crate::plan::{Plan, Stage, StopSignal};
use crate::record::{Phase, ProcessRecord, Record};
use crate::stack_dir::StackDir;

/// The name of the supervisor's own log.
pub(crate) const SUPERVISOR: &str = "supervisor";

/// From the first start until everything is ready.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(60);

/// From the request to end until the process is killed, for each stage.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(14);

const KEEPER_CHECK_EVERY: Duration = Duration::from_millis(20);

/// A log is moved aside when it is longer, so two such files a process are the most.
const MAX_LOG_BYTES: u64 = 32 << 20;
const LOG_CHECK_EVERY: Duration = Duration::from_secs(60);

/// How many of the last lines of its log a process that did not start is quoted with.
const LAST_WORDS_LINES: usize = 3;

/// Runs the planned stack until SIGTERM or SIGINT. Returns once nothing of it runs.
pub fn run(dir: &StackDir) -> Result<()> {
    // Out of the terminal's reach: `up` may return, and its Ctrl-C is not ours.
    rustix::process::setsid().context("cannot leave the terminal")?;
    let (sender, events) = channel();
    stop_on_signals(sender.clone())?;
    let mut supervisor = Supervisor::new(dir.clone(), Plan::load(dir)?, sender, events)?;
    let outcome = supervisor.start().and_then(|()| supervisor.watch());
    supervisor.set_phase(Phase::Stopping);
    supervisor.stop();
    match outcome {
        Ok(()) => say("stopped"),
        Err(error) => {
            say(&format!("{error:#}"));
            supervisor.set_phase(Phase::Failed(format!("{error:#}")));
        }
    }
    Ok(())
}

/// SIGHUP is for those whose terminal closes; this process has none.
fn stop_on_signals(events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if signal != SIGHUP && events.send(Event::Stop).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}

struct Supervisor {
    dir: StackDir,
    plan: Arc<Plan>,
    record: Record,
    stopping: Stopping,
    keepers: Vec<JoinHandle<()>>,
    /// Told once; a second time means at once.
    stop_asked: u32,
    sender: Sender<Event>,
    events: Receiver<Event>,
}

impl Supervisor {
    fn new(
        dir: StackDir,
        plan: Plan,
        sender: Sender<Event>,
        events: Receiver<Event>,
    ) -> Result<Self> {
        let processes = plan
            .processes
            .iter()
            .map(|process| ProcessRecord {
                name: process.name.clone(),
                id: None,
                started_at: 0,
                ready_after_ms: None,
                restarts: 0,
            })
            .collect();
        let record = Record {
            supervisor: ProcessId::of(std::process::id())?,
            phase: Phase::Starting,
            processes,
        };
        // A new stack starts whole.
        for process in &record.processes {
            dir.release(&process.name)?;
        }
        // What cannot be written down must not be started.
        record.save(&dir)?;
        Ok(Self {
            dir,
            plan: Arc::new(plan),
            record,
            stopping: Stopping::default(),
            keepers: Vec::new(),
            stop_asked: 0,
            sender,
            events,
        })
    }

    /// Starts stage after stage. A process that ends before it was ready fails the start.
    fn start(&mut self) -> Result<()> {
        let deadline = Deadline::after(START_TIMEOUT);
        let stages: BTreeSet<Stage> = self.plan.processes.iter().map(|p| p.stage).collect();
        for stage in stages {
            let members = self.members(stage);
            for &index in &members {
                self.spawn_keeper(index)?;
            }
            while !members.iter().all(|&index| self.is_ready(index)) {
                match self.events.recv_timeout(deadline.remaining()) {
                    Ok(Event::Ended { index, how }) => {
                        self.note_end(index);
                        bail!("{}", self.failed_start(index, &how));
                    }
                    Ok(event) => self.note(event),
                    Err(_) => bail!("{}", self.late_start(&members)),
                }
                if self.stop_asked > 0 {
                    return Ok(());
                }
            }
        }
        self.set_phase(Phase::Up);
        say("the stack is up");
        Ok(())
    }

    /// Notes what happens to the processes until the stack is to stop.
    fn watch(&mut self) -> Result<()> {
        while self.stop_asked == 0 {
            match self.events.recv_timeout(LOG_CHECK_EVERY) {
                Ok(event) => self.note(event),
                Err(RecvTimeoutError::Timeout) => self.bound_logs(),
                Err(RecvTimeoutError::Disconnected) => bail!("no keeper is left"),
            }
        }
        Ok(())
    }

    /// Ends every process, the entrance first and the servers last.
    fn stop(&mut self) {
        self.stopping.set();
        let stages: BTreeSet<Stage> = self.plan.processes.iter().map(|p| p.stage).collect();
        for stage in stages.into_iter().rev() {
            let members = self.members(stage);
            for &index in &members {
                self.signal(index, self.stop_signal(index));
            }
            self.await_end(&members, Deadline::after(STOP_TIMEOUT));
            for &index in &members {
                self.signal(index, Signal::KILL);
            }
            self.await_end(&members, Deadline::after(STOP_TIMEOUT));
        }
        self.end_late_starts();
    }

    /// A keeper may have been about to start its process when the stop began.
    fn end_late_starts(&mut self) {
        let deadline = Deadline::after(STOP_TIMEOUT);
        while !deadline.passed() && !self.keepers.iter().all(JoinHandle::is_finished) {
            if let Ok(event) = self.events.recv_timeout(KEEPER_CHECK_EVERY) {
                self.note(event);
            }
            self.kill_all();
        }
    }

    fn kill_all(&self) {
        for index in 0..self.plan.processes.len() {
            self.signal(index, Signal::KILL);
        }
    }

    fn await_end(&mut self, members: &[usize], deadline: Deadline) {
        let mut patience = self.stop_asked.max(1);
        while members
            .iter()
            .any(|&i| self.record.processes[i].id.is_some())
        {
            match self.events.recv_timeout(deadline.remaining()) {
                Ok(event) => self.note(event),
                Err(_) => return,
            }
            if self.stop_asked > patience {
                patience = self.stop_asked;
                self.kill_all();
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Started { index, id } => {
                let process = &mut self.record.processes[index];
                if process.started_at > 0 {
                    process.restarts += 1;
                }
                process.id = Some(id);
                process.started_at = clock::unix_seconds();
                process.ready_after_ms = None;
            }
            Event::Ready { index, after } => {
                let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                let process = &mut self.record.processes[index];
                process.ready_after_ms = Some(millis);
                say(&format!("{} is ready ({millis} ms)", process.name));
            }
            Event::Ended { index, how } => {
                self.note_end(index);
                if self.record.phase == Phase::Up && self.stop_asked == 0 {
                    let name = &self.record.processes[index].name;
                    say(&format!("{name} ended ({how}): starting it again"));
                }
                return;
            }
            Event::Stop => {
                self.stop_asked += 1;
                return;
            }
        }
        self.save();
    }

    fn note_end(&mut self, index: usize) {
        let process = &mut self.record.processes[index];
        process.id = None;
        process.ready_after_ms = None;
        self.save();
    }

    fn set_phase(&mut self, phase: Phase) {
        self.record.phase = phase;
        self.save();
    }

    /// A full disk must not end the supervision of what runs.
    fn save(&self) {
        if let Err(error) = self.record.save(&self.dir) {
            say(&format!("{error:#}"));
        }
    }

    fn members(&self, stage: Stage) -> Vec<usize> {
        let processes = self.plan.processes.iter().enumerate();
        processes
            .filter(|(_, process)| process.stage == stage)
            .map(|(index, _)| index)
            .collect()
    }

    fn is_ready(&self, index: usize) -> bool {
        self.record.processes[index].ready_after_ms.is_some()
    }

    fn stop_signal(&self, index: usize) -> Signal {
        match self.plan.processes[index].stop_signal {
            StopSignal::Terminate => Signal::TERM,
            StopSignal::User1 => Signal::USR1,
            StopSignal::Quit => Signal::QUIT,
        }
    }

    /// A paused process gets a signal only once it goes on.
    fn signal(&self, index: usize, signal: Signal) {
        let Some(id) = self.record.processes[index].id else {
            return;
        };
        if let Err(error) = id.signal(signal).and_then(|()| id.signal(Signal::CONT)) {
            say(&format!("{error:#}"));
        }
    }

    fn spawn_keeper(&mut self, index: usize) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let (dir, stopping) = (self.dir.clone(), self.stopping.clone());
        let events = self.sender.clone();
        let keeper = thread::Builder::new()
            .name(self.plan.processes[index].name.clone())
            .spawn(move || keep(index, &plan.processes[index], &dir, &stopping, &events))
            .context("cannot start a thread")?;
        self.keepers.push(keeper);
        Ok(())
    }

    fn failed_start(&self, index: usize, how: &str) -> String {
        let name = &self.plan.processes[index].name;
        let words = self.last_words(name);
        format!("{name} ended before it was ready ({how}); {words}")
    }

    fn late_start(&self, members: &[usize]) -> String {
        let late: Vec<&str> = members
            .iter()
            .filter(|&&index| !self.is_ready(index))
            .map(|&index| self.plan.processes[index].name.as_str())
            .collect();
        let words = late.first().map(|name| self.last_words(name));
        format!(
            "{} not ready within {} s; {}",
            late.join(", "),
            START_TIMEOUT.as_secs(),
            words.unwrap_or_default()
        )
    }

    fn last_words(&self, name: &str) -> String {
        let log = self.dir.log(name);
        let lines = logs::last_lines(&log, LAST_WORDS_LINES).unwrap_or_default();
        format!("{} ends with: {}", log.display(), lines.join(" | "))
    }

    fn bound_logs(&self) {
        let names = self.plan.processes.iter().map(|process| &*process.name);
        for name in names.chain([SUPERVISOR]) {
            if let Err(error) = bound_log(&self.dir.log(name)) {
                say(&format!("the log of {name} cannot be cut: {error}"));
            }
        }
    }
}

/// Writes a line to the log. A full disk must not end the supervision of what runs, so a
/// line that cannot be written is lost.
fn say(line: &str) {
    let now = jiff::Timestamp::now();
    let line = format!("{now:.3} {line}\n");
    io::stdout().write_all(line.as_bytes()).unwrap_or(());
}

/// The writer appends, so it goes on at the new end after a cut.
fn bound_log(log: &Path) -> io::Result<()> {
    if fs::metadata(log)?.len() > MAX_LOG_BYTES {
        fs::copy(log, log.with_extension("log.1"))?;
        OpenOptions::new().write(true).open(log)?.set_len(0)?;
    }
    Ok(())
}
