use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::docker::Engine as DockerEngine;
use feeway_machine::files::remove_if_there;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::readiness::Address;
use feeway_stack::containers::gauge::Gauge;
use feeway_stack::plan::{self, Plan};
use feeway_stack::private_stack::PrivateStack;
use feeway_stack::simulators::Processor;
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::{Engine, Intake, word};

use super::generator::{Generator, Load};
use super::loads;
use super::seat::Seat;
use super::settled::Books;
use super::tools::Tools;
use super::usage::{Usage, peak_mb};

/// Where simulators listen in their containers.
const SIMULATOR_PORT: u16 = 8080;

/// Who stands behind HAProxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Beside the floor.
    Feeway,
    Floor,
    /// Feeway as it is, beside an old build.
    New,
    Old,
    /// The old build once more: how far it is from itself is the noise.
    Again,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Feeway => "Feeway",
            Self::Floor => "floor",
            Self::New => "new",
            Self::Old => "old",
            Self::Again => "again",
        }
    }

    /// The floor forgets what it has accepted.
    pub(super) fn keeps_payments(self) -> bool {
        self != Self::Floor
    }
}

/// One side, running: HAProxy, what is behind it, and two simulators. It ends with this value.
pub(super) struct Turn {
    pub(super) side: Side,
    pub(super) processors: Vec<Processor>,
    pub(super) target: SocketAddr,
    /// How many payments it has accepted so far, as its clients counted.
    pub(super) accepted: u64,
    /// Where posters reach the simulators, as directly as fronts do.
    pub(super) simulators: Vec<SocketAddr>,
    stack: PrivateStack,
    dir: StackDir,
}

impl Turn {
    /// Starts a side without any data.
    pub(super) fn start(seat: &Seat, tools: &Tools, intake: Intake) -> Result<Self> {
        let (dir, side) = (&seat.dir, seat.side);
        // In containers the payments are in a volume, which ends with its stack.
        fs::remove_dir_all(dir.redis_data())?;
        let mut options = Vec::new();
        for (option, value) in [
            ("--port", tools.port.to_string()),
            ("--simulator-port", tools.simulator_port.to_string()),
            ("--intake", word(intake)),
            ("--profile", word(tools.profile)),
            ("--engine", word(tools.engine)),
        ] {
            options.extend([option.to_owned(), value]);
        }
        if let Some(tree) = &seat.configuration_of {
            options.extend(["--configuration-of".to_owned(), tree.display().to_string()]);
        }
        let stack = match tools.engine {
            Engine::Native => PrivateStack::start_changed(dir.clone(), &options, |plan| {
                if side == Side::Floor {
                    make_floor(plan, tools);
                }
                Ok(())
            })?,
            Engine::Docker => {
                options.extend((side == Side::Floor).then(|| "--floor".to_owned()));
                PrivateStack::start(dir.clone(), &options)?
            }
        };
        let target = match stack.address("haproxy")? {
            Address::Tcp(address) => address,
            Address::Unix(path) => bail!("the entrance listens at {}", path.display()),
        };
        let processors = Processor::all(&stack)?;
        Ok(Self {
            side,
            simulators: simulators(&stack, &processors)?,
            processors,
            target,
            accepted: 0,
            stack,
            dir: dir.clone(),
        })
    }

    /// Opens the connections that a stack opens when they are first needed.
    pub(super) fn warm_up(&mut self, tools: &Tools, interrupt: &Interrupt) -> Result<()> {
        let command = loads::warm_up(tools, self.target);
        self.generate("warm-up", command, loads::WARM_UP)?
            .finish(interrupt)
            .map(|load| self.accepted += load.ok)
    }

    /// Starts a load generator with a log of its own.
    pub(super) fn generate(
        &self,
        name: &str,
        command: Command,
        length: Duration,
    ) -> Result<Generator> {
        let log = self.dir.log(name);
        remove_if_there(&log)?;
        Generator::start(command, length, File::create(&log)?)
            .with_context(|| format!("see {}", log.display()))
    }

    /// Notes a load that has ended.
    pub(super) fn count(&mut self, load: &Load) {
        self.accepted += load.ok;
    }

    pub(super) fn books(&self) -> Books {
        Books::new(self.target)
    }

    /// What its processes or containers have used so far.
    pub(super) fn usage(&self) -> Result<Usage> {
        let Some(stack) = self.stack.containers()? else {
            return Ok(Usage::of_processes(&self.stack.processes()?));
        };
        let engine = DockerEngine::find()?;
        let mut used = Vec::new();
        for container in stack.containers(&engine)? {
            used.push((container.service, engine.usage(&container.id)?.cpu_nanos));
        }
        Ok(Usage::of_containers(&used))
    }

    /// The largest that any process of a kind has been, in MB. Of containers the gauge tells
    /// more.
    pub(super) fn peak_mb(&self, kind: &str) -> Result<Option<f64>> {
        match self.stack.containers()? {
            Some(_) => Ok(None),
            None => Ok(peak_mb(&self.stack.processes()?, kind)),
        }
    }

    /// Looks at its containers, if it has any.
    pub(super) fn gauge(&self) -> Result<Option<Gauge>> {
        let stack = self.stack.containers()?;
        stack.as_ref().map(Gauge::start).transpose()
    }

    pub(super) fn stop(self) -> Result<()> {
        self.stack.stop()
    }
}

/// In containers not at their published ports, where a proxy of Docker's would have its share
/// of the work.
fn simulators(stack: &PrivateStack, processors: &[Processor]) -> Result<Vec<SocketAddr>> {
    let published = processors.iter().map(Processor::address);
    let Some(stack) = stack.containers()? else {
        return Ok(published.collect());
    };
    let engine = DockerEngine::find()?;
    let inside = |processor: &Processor| {
        let service = format!("payment-processor-{}", processor.name());
        let container = stack.container(&engine, &service)?;
        let address = container.address.context("a simulator has no address")?;
        Ok(SocketAddr::new(address, SIMULATOR_PORT))
    };
    processors.iter().map(inside).collect()
}

/// The same HAProxy, sockets and simulators, and servers that do nothing instead of fronts.
/// Nobody is left who would need Redis, NATS or a leader.
fn make_floor(plan: &mut Plan, tools: &Tools) {
    let of_gateway = |process: &plan::ProcessPlan| process.stage == plan::Stage::Gateway;
    plan.processes.retain(|process| {
        process.stage != plan::Stage::Servers
            && (!of_gateway(process) || process.name.starts_with("front-"))
    });
    for front in plan
        .processes
        .iter_mut()
        .filter(|process| of_gateway(process))
    {
        front.program.clone_from(&tools.floor);
        front.arguments = vec![
            "--listen".to_owned(),
            format!("unix:{}", front.address.text()),
        ];
    }
}
