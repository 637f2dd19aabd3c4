use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::generator::{Generator, Load};
use super::loads;
use super::settled::Books;
use super::tools::Tools;
use crate::binaries::Profile;
use crate::interrupt::Interrupt;
use crate::plan::{self, Plan};
use crate::private_stack::PrivateStack;
use crate::process_id::ProcessId;
use crate::readiness::Address;
use crate::rinha::processors::Processor;
use crate::stack_dir::{StackDir, remove_if_there};
use crate::up::{Intake, word};

/// Who stands behind HAProxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Feeway,
    Floor,
}

/// One side, running: HAProxy, what is behind it, and two simulators. It ends with this value.
pub(super) struct Turn {
    pub(super) side: Side,
    pub(super) processors: Vec<Processor>,
    pub(super) target: SocketAddr,
    /// How many payments it has accepted so far, as its clients counted.
    pub(super) accepted: u64,
    stack: PrivateStack,
    dir: StackDir,
}

impl Turn {
    /// Starts a side without any data.
    pub(super) fn start(
        dir: &StackDir,
        tools: &Tools,
        side: Side,
        intake: Intake,
        profile: Profile,
    ) -> Result<Self> {
        fs::remove_dir_all(dir.redis_data())?;
        let mut options = Vec::new();
        for (option, value) in [
            ("--port", tools.port.to_string()),
            ("--simulator-port", tools.simulator_port.to_string()),
            ("--intake", word(intake)),
            ("--profile", word(profile)),
        ] {
            options.extend([option.to_owned(), value]);
        }
        let stack = PrivateStack::start_changed(dir.clone(), &options, |plan| {
            if side == Side::Floor {
                make_floor(plan, tools);
            }
        })?;
        let target = match stack.address("haproxy")? {
            Address::Tcp(address) => address,
            Address::Unix(path) => bail!("the entrance listens at {}", path.display()),
        };
        Ok(Self {
            side,
            processors: Processor::all(&stack)?,
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

    /// Every process of the stack.
    pub(super) fn processes(&self) -> Result<Vec<(String, ProcessId)>> {
        self.stack.processes()
    }

    pub(super) fn stop(self) -> Result<()> {
        self.stack.stop()
    }
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
