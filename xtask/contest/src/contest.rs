//! One run of a scenario: a fresh stack, k6, and the books at the end.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use feeway_machine::binaries::Binaries;
use feeway_machine::clock::{self, Deadline};
use feeway_machine::interrupt::Interrupt;
use feeway_machine::k6::K6;
use feeway_machine::ports::{free_pair, visible_ports};
use feeway_machine::readiness::Address;
use feeway_stack::containers::gauge::{self, Gauge};
use feeway_stack::image;
use feeway_stack::private_stack::PrivateStack;
use feeway_stack::simulators::{Processor, TOKEN};
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::{Engine, word};

use super::RinhaOptions;
use super::held_twice::held_twice;
use super::k6_run;
use super::outcome::Outcome;
use super::scenario::Scenario;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A stack of a run's own, and what it is judged with.
pub(super) struct Arena {
    /// Everything in it ends with it.
    stack: PrivateStack,
    pub(super) processors: Vec<Processor>,
    target: String,
    report: PathBuf,
}

impl Arena {
    /// Builds, and starts a stack without data in the folder.
    pub(super) fn start(
        scenario: &Scenario,
        options: &RinhaOptions,
        folder: &Path,
    ) -> Result<Self> {
        let dir = StackDir::new(Some(folder))?;
        dir.create()?;
        match &options.programs {
            Some(programs) => Binaries::copy(programs, &dir.binaries())?,
            None => build(options, &dir)?,
        }
        let report = dir.path().join("report");
        let stack = PrivateStack::start(dir, &up_options(scenario, options)?)?;
        if options.without_nats {
            stack.kill_for_good("nats")?;
        }
        let target = match stack.address(&word(options.lb))? {
            Address::Tcp(address) => format!("http://127.0.0.1:{}", address.port()),
            Address::Unix(path) => anyhow::bail!("the entrance listens at {}", path.display()),
        };
        Ok(Self {
            processors: Processor::all(&stack)?,
            stack,
            target,
            report,
        })
    }

    /// What k6 is told of this stack.
    pub(super) fn plan(&self, scenario: &Scenario) -> serde_json::Value {
        let processors: Vec<(String, String)> = self
            .processors
            .iter()
            .map(|processor| (processor.url(), TOKEN.to_owned()))
            .collect();
        scenario.plan(&self.target, &processors)
    }

    /// Kills a process or a container a while from now.
    fn kill_after(&self, name: &str, wait: Duration) -> Result<JoinHandle<Result<()>>> {
        let victim = self.stack.victim(name)?;
        let name = name.to_owned();
        Ok(thread::spawn(move || {
            thread::sleep(wait);
            println!("  killing {name}");
            victim.kill()
        }))
    }

    /// Looks at the containers of the stack, if it has any.
    pub(super) fn gauge(&self) -> Result<Option<Gauge>> {
        let stack = self.stack.containers()?;
        stack.as_ref().map(Gauge::start).transpose()
    }

    pub(super) fn report(&self) -> &Path {
        &self.report
    }
}

fn build(options: &RinhaOptions, dir: &StackDir) -> Result<()> {
    match options.engine {
        Engine::Native => {
            Binaries::build(options.profile, &dir.binaries())?;
        }
        Engine::Docker => {
            image::build(options.profile)?;
            if options.floor {
                image::build_floor(options.profile)?;
            }
        }
    }
    Ok(())
}

/// The stack's options as for `up`.
fn up_options(scenario: &Scenario, options: &RinhaOptions) -> Result<Vec<String>> {
    let simulator_port = match options.simulator_port {
        Some(port) => port,
        None => free_pair()?,
    };
    let port = match options.port {
        Some(port) => port,
        None => visible_ports(3)?
            .into_iter()
            .find(|port| !(simulator_port..=simulator_port.saturating_add(1)).contains(port))
            .context("no free port")?,
    };
    let [fee_default, fee_fallback] = scenario.fees.map(|fee| fee.option());
    let mut up: Vec<String> = vec!["--allow-purge".to_owned()];
    for (option, value) in [
        ("--port", port.to_string()),
        ("--simulator-port", simulator_port.to_string()),
        ("--fee-default", fee_default),
        ("--fee-fallback", fee_fallback),
        ("--profile", word(options.profile)),
        ("--engine", word(options.engine)),
        ("--lb", word(options.lb)),
    ] {
        up.extend([option.to_owned(), value]);
    }
    if options.floor {
        up.push("--floor".to_owned());
    }
    for (option, asked, own) in [
        ("--patience", &options.patience, scenario.patience),
        ("--max-latency", &options.max_latency, scenario.max_latency),
    ] {
        let value = asked.as_deref().or(own);
        up.extend(value.map(|value| format!("{option}={value}")));
    }
    if let Some(tree) = &options.configuration_of {
        up.extend(["--configuration-of".to_owned(), tree.display().to_string()]);
    }
    Ok(up)
}

/// Builds, and runs a scenario once on a stack of its own in this folder.
pub(super) fn run(
    scenario: &Scenario,
    options: &RinhaOptions,
    k6: &K6,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Outcome> {
    let arena = Arena::start(scenario, options, folder)?;
    interrupt.check()?;
    let length = scenario.ends_after();
    println!("\nRunning {} for {} s …", scenario.name, length.as_secs());
    let plan = arena.plan(scenario);
    let gauge = arena.gauge()?;
    let mut load = k6_run::start(k6, &plan, arena.report(), length)?;
    let killed = match &options.kill {
        Some(name) => Some(arena.kill_after(name, length / 2)?),
        None => None,
    };
    let counted = load.finish(interrupt)?;
    if let Some(killed) = killed {
        killed
            .join()
            .map_err(|_panic| anyhow!("the kill failed"))??;
    }
    if let Some(gauge) = gauge {
        gauge::print(&gauge.finish()?);
    }
    let (held, settled_after) = if scenario.settle_for.is_zero() {
        (counted.held, None)
    } else {
        println!("Waiting until all is settled …");
        let (held, after) = settle(&arena, counted.accepted, scenario.settle_for, interrupt)?;
        (held, Some(after))
    };
    println!("Reading the processors' books …");
    let twice = held_twice(&arena.processors)?;
    Ok(Outcome {
        counted,
        held,
        twice,
        settled_after,
    })
}

/// Waits for a bounded time until the processors hold what was accepted and work on nothing.
/// Returns what they hold then, and how long that took.
fn settle(
    arena: &Arena,
    accepted: u64,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<([u64; 2], Duration)> {
    let begin = clock::now();
    let deadline = Deadline::after(patience);
    loop {
        interrupt.check()?;
        let mut held = [0; 2];
        let mut busy = 0;
        for (held, processor) in held.iter_mut().zip(&arena.processors) {
            let stats = processor.stats()?;
            *held = stats.payments;
            busy += stats.working + stats.queued;
        }
        let all = held.iter().sum::<u64>() >= accepted && busy == 0;
        if all || deadline.passed() {
            return Ok((held, begin.elapsed()));
        }
        thread::sleep(LOOK_EVERY);
    }
}
