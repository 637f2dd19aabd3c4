//! A stack of a run's own, and the rough ways to treat its processes. Signals go to recorded
//! processes of this stack only.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use feeway_machine::clock::Deadline;
use feeway_machine::docker::{Container, Engine};
use feeway_machine::process_id::ProcessId;
use feeway_machine::readiness::Address;
use rustix::process::Signal;

use crate::containers::stack::{self, ContainerStack};
use crate::down;
use crate::plan::Plan;
use crate::record::{Phase, ProcessRecord, Record};
use crate::stack_dir::StackDir;
use crate::up::{self, UpOptions};

/// From the last fault until every process is ready again: the longest pause of the
/// supervisor before a new start, and the start.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running stack. It ends with this value.
pub struct PrivateStack {
    dir: StackDir,
    options: UpOptions,
}

/// What of a stack is to be killed.
pub enum Victim {
    /// A process of this machine.
    Process(ProcessId),
    /// A container.
    Container(Box<Container>),
}

impl Victim {
    /// Kills it, without a warning.
    pub fn kill(&self) -> Result<()> {
        match self {
            Self::Process(id) => id.signal(Signal::KILL),
            Self::Container(container) => container.order(&["kill"]),
        }
    }
}

/// The operator's tool on the Redis of a stack.
#[derive(Clone, Debug)]
pub struct Tool {
    program: PathBuf,
    redis: String,
}

impl Tool {
    /// How it ended, and what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("FEEWAY_REDIS", &self.redis)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.code(), said))
    }
}

#[derive(Parser)]
struct UpLine {
    #[command(flatten)]
    options: UpOptions,
}

impl PrivateStack {
    /// Starts a stack of programs that are built already, with options as for `up`.
    pub fn start(dir: StackDir, options: &[String]) -> Result<Self> {
        let options = read_line(options)?;
        up::run_built(&dir, &options)?;
        Ok(Self { dir, options })
    }

    /// As [`Self::start`] with processes of this machine, and a plan that is changed before
    /// anything starts.
    pub fn start_changed(
        dir: StackDir,
        options: &[String],
        change: impl FnOnce(&mut Plan) -> Result<()>,
    ) -> Result<Self> {
        let options = read_line(options)?;
        up::run_changed(&dir, &options, change)?;
        Ok(Self { dir, options })
    }

    /// Starts it again in its folder, with the data that is there.
    pub fn start_again(&self) -> Result<()> {
        up::run_built(&self.dir, &self.options)
    }

    /// The log of a process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.log(name)
    }

    /// The operator's tool on its Redis.
    pub fn tool(&self) -> Result<Tool> {
        let Address::Unix(redis) = self.address("redis")? else {
            bail!("Redis does not listen on a socket");
        };
        Ok(Tool {
            program: self.dir.binaries().join("feeway-ctl"),
            redis: format!("unix://{}", redis.display()),
        })
    }

    /// The names of its fronts.
    pub fn fronts(&self) -> Vec<String> {
        names("front", self.options.fronts)
    }

    /// The names of its leaders.
    pub fn leaders(&self) -> Vec<String> {
        names("leader", self.options.leaders)
    }

    /// What is known of it if it runs in containers.
    pub fn containers(&self) -> Result<Option<ContainerStack>> {
        ContainerStack::load(&self.dir)
    }

    /// The process or the container of that name.
    pub fn victim(&self, name: &str) -> Result<Victim> {
        if let Some(stack) = self.containers()? {
            let container = stack.container(&Engine::find()?, name)?;
            return Ok(Victim::Container(Box::new(container)));
        }
        let process = self.process(name)?;
        process
            .map(Victim::Process)
            .with_context(|| format!("{name} does not run"))
    }

    /// Kills a process that nobody is to start again.
    pub fn kill_for_good(&self, name: &str) -> Result<()> {
        let victim = self.victim(name)?;
        // Docker starts nothing again that was killed by its own command.
        if matches!(victim, Victim::Process(_)) {
            self.pause_supervisor()?;
        }
        victim.kill()
    }

    /// Every process of it that runs at this moment, by name.
    pub fn processes(&self) -> Result<Vec<(String, ProcessId)>> {
        let named = |process: ProcessRecord| Some((process.name, process.id?));
        Ok(self
            .record()?
            .processes
            .into_iter()
            .filter_map(named)
            .collect())
    }

    /// Where a process listens.
    pub fn address(&self, name: &str) -> Result<Address> {
        if let Some(stack) = self.containers()? {
            let port = stack.ports.get(name);
            let port =
                port.with_context(|| format!("{name} has no address outside of the containers"))?;
            return Ok(Address::Tcp((Ipv4Addr::LOCALHOST, *port).into()));
        }
        let plan = Plan::load(&self.dir)?;
        let process = plan.processes.into_iter().find(|p| p.name == name);
        let process = process.with_context(|| format!("there is no {name}"))?;
        Ok(process.address)
    }

    /// The process of that name, if one runs at this moment.
    pub fn process(&self, name: &str) -> Result<Option<ProcessId>> {
        let record = self.record()?;
        let process = record.processes.iter().find(|p| p.name == name);
        let process = process.with_context(|| format!("there is no {name}"))?;
        Ok(process.id.filter(|id| id.is_alive()))
    }

    /// Signals a process by its name. Returns which, or nothing if none runs.
    pub fn signal(&self, name: &str, signal: Signal) -> Result<Option<ProcessId>> {
        let process = self.process(name)?;
        if let Some(id) = process {
            id.signal(signal)?;
        }
        Ok(process)
    }

    /// Nothing that ends is started again while the supervisor is paused.
    pub fn pause_supervisor(&self) -> Result<()> {
        self.record()?.supervisor.signal(Signal::STOP)
    }

    /// What ended meanwhile is started again.
    pub fn resume_supervisor(&self) -> Result<()> {
        self.record()?.supervisor.signal(Signal::CONT)
    }

    /// Kills every process, the supervisor first so that it starts none again. Returns how
    /// many there were.
    pub fn kill_all(&self) -> Result<usize> {
        self.record()?.supervisor.signal(Signal::KILL)?;
        self.await_death(&[self.record()?.supervisor])?;
        // The record does not change any more.
        let processes = self.record()?.alive();
        for process in &processes {
            process.signal(Signal::KILL)?;
        }
        self.await_death(&processes)?;
        Ok(processes.len() + 1)
    }

    fn await_death(&self, processes: &[ProcessId]) -> Result<()> {
        let deadline = Deadline::after(READY_TIMEOUT);
        while processes.iter().any(|process| process.is_alive()) {
            if deadline.passed() {
                bail!("a killed process does not end");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Resumes whatever is paused and waits until every process is ready.
    pub fn heal(&self) -> Result<()> {
        self.resume_supervisor()?;
        for process in self.record()?.alive() {
            process.signal(Signal::CONT)?;
        }
        let deadline = Deadline::after(READY_TIMEOUT);
        while !self.is_ready()? {
            if deadline.passed() {
                bail!(
                    "the stack is not ready {} s after the last fault; see {}",
                    READY_TIMEOUT.as_secs(),
                    self.dir.logs().display()
                );
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn is_ready(&self) -> Result<bool> {
        let (record, plan) = (self.record()?, Plan::load(&self.dir)?);
        let alive = record.phase == Phase::Up
            && record.processes.iter().all(|process| {
                process.ready_after_ms.is_some() && process.id.is_some_and(ProcessId::is_alive)
            });
        Ok(alive && plan.processes.iter().all(|process| process.readiness.ask()))
    }

    fn record(&self) -> Result<Record> {
        Record::load(&self.dir)?.context("the stack was stopped by another command")
    }

    /// Stops it in good order.
    pub fn stop(&self) -> Result<()> {
        let lock = self.dir.lock()?;
        let in_containers = self.containers()?.is_some();
        down::stop(&self.dir)?;
        if in_containers {
            // A volume is not in the folder, where somebody would see it.
            stack::wipe(&self.dir)?;
        }
        drop(lock);
        Ok(())
    }
}

impl Drop for PrivateStack {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the stack did not stop: {error:#}");
        }
    }
}

/// The options of a stack that goes on by itself once it is up.
fn read_line(options: &[String]) -> Result<UpOptions> {
    let line = ["up".to_owned(), "--detach".to_owned()];
    Ok(UpLine::try_parse_from(line.iter().chain(options))?.options)
}

fn names(kind: &str, count: u16) -> Vec<String> {
    (1..=count)
        .map(|number| format!("{kind}-{number}"))
        .collect()
}

/// Refuses a folder in which something is: a run must begin without data.
pub fn check_unused(folder: &Path) -> Result<()> {
    let used = folder.exists() && fs::read_dir(folder)?.next().is_some();
    if used {
        bail!(
            "{} is not empty: a run needs an empty folder of its own",
            folder.display()
        );
    }
    Ok(())
}
