//! What every scenario needs: a stack of its own, its processors, and the judgement at the
//! end.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use feeway_machine::binaries::Binaries;
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::ports::visible_ports;
use feeway_machine::readiness::Address;
use feeway_stack::private_stack::{PrivateStack, check_unused};
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::{Fsync, word};

use super::audit::{Audit, Posted, audit};
use super::books::{Book, Feeway, dump};
use super::faults::Done;
use super::load::{Load, LoadPlan};
use super::register::{Register, Sightings};
use super::sabotage::Sabotage;
use super::settling::await_settled;
use super::simulators::{PROCESSORS, Simulator};
use super::takeovers::{Takeover, read_log, takeovers};
use super::traffic::Traffic;
use super::windows;
use super::{ChaosOptions, Scenario, store_faults};

/// A stack under trial. Everything it started ends with it, the stack first.
pub(super) struct Trial {
    pub(super) stack: PrivateStack,
    pub(super) simulators: Vec<Simulator>,
    pub(super) interrupt: Interrupt,
    /// Where clients go.
    pub(super) entrance: Address,
    pub(super) seed: u64,
    pub(super) rate: u64,
    pub(super) length: Duration,
    pub(super) fsync: Fsync,
    pub(super) folder: PathBuf,
    /// The folder was asked for, and stays.
    pub(super) keep_folder: bool,
}

/// What a scenario did, to be judged.
#[derive(Default)]
pub(super) struct Acted {
    pub(super) sightings: Sightings,
    pub(super) done: Done,
    /// Lines of what the scenario measured.
    pub(super) measured: Vec<String>,
    /// What the scenario itself finds wrong.
    pub(super) failures: Vec<String>,
    /// What the scenario did that the audit is to find.
    pub(super) sabotage: Option<Sabotage>,
}

/// What is found in the end.
pub(super) struct Judgement {
    pub(super) audit: Audit,
    pub(super) takeovers: Vec<Takeover>,
    pub(super) settled_after: Duration,
}

impl Trial {
    /// Builds, and starts a stack without data.
    pub(super) fn begin(options: &ChaosOptions, seed: u64) -> Result<Self> {
        let interrupt = Interrupt::catch()?;
        let folder = match &options.dir {
            Some(folder) => std::path::absolute(folder)?,
            None => repository().join(format!("target/chaos/{}", std::process::id())),
        };
        check_unused(&folder)?;
        let dir = StackDir::new(Some(&folder))?;
        dir.create()?;
        let programs = Binaries::build(options.profile, &dir.binaries())?;
        interrupt.check()?;
        let free = visible_ports(1 + 2 * PROCESSORS.len())?;
        let port = options.port.unwrap_or(free[0]);
        let mut simulators = Vec::new();
        for (place, processor) in (0_u16..).zip(PROCESSORS) {
            let place_in_list = usize::from(place) * 2 + 1;
            let listen = match options.simulator_port {
                Some(first) => first
                    .checked_add(place)
                    .context("--simulator-port leaves no port for the second one")?,
                None => free[place_in_list],
            };
            let ports = [listen, free[place_in_list + 1]];
            let logs = folder.join("simulators");
            let simulator = Simulator::start(&programs.simulator, &logs, processor, ports)?;
            simulators.push(simulator);
        }
        let fsync = options.fsync();
        let mut up = vec!["--port".to_owned(), port.to_string()];
        up.extend(["--profile".to_owned(), word(options.profile)]);
        up.extend(["--fsync".to_owned(), word(fsync)]);
        for simulator in &simulators {
            up.extend(["--processor".to_owned(), simulator.option()]);
        }
        let stack = if options.scenario == Scenario::Store {
            let clock = folder.clone();
            PrivateStack::start_changed(dir, &up, |plan| store_faults::prepare(plan, &clock))?
        } else {
            PrivateStack::start(dir, &up)?
        };
        Ok(Self {
            entrance: stack.address("haproxy")?,
            stack,
            simulators,
            interrupt,
            seed,
            rate: options.rate(),
            length: options.length(),
            fsync,
            folder,
            keep_folder: options.dir.is_some(),
        })
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic { seed: self.seed }
    }

    /// Starts clients at the entrance.
    pub(super) fn start_load(&self, tickets: Range<u64>, register: &Arc<Register>) -> Result<Load> {
        let plan = LoadPlan {
            traffic: self.traffic(),
            address: self.entrance.clone(),
            rate: self.rate,
            tickets,
        };
        Load::start(plan, register)
    }

    /// As many tickets as fit into the length at the rate.
    pub(super) fn tickets(&self) -> u64 {
        let millis = u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX);
        self.rate.saturating_mul(millis) / 1000
    }

    /// Ends every fault.
    pub(super) fn heal(&self) -> Result<()> {
        self.simulators.iter().try_for_each(Simulator::heal)?;
        self.stack.heal()
    }

    /// Waits until nothing is open and compares all books.
    pub(super) fn judge(&self, acted: &Acted) -> Result<Judgement> {
        let posted = self.posted(&acted.sightings);
        let ids: Vec<&str> = posted.iter().map(|payment| &*payment.id).collect();
        println!("Waiting until nothing is open …");
        let gone = u64::from(acted.sabotage.is_some());
        let accepted = acted.sightings.accepted() - gone;
        let settled = await_settled(
            &self.entrance,
            &self.simulators,
            &ids,
            accepted,
            &self.interrupt,
        )?;
        println!("Auditing …");
        let books = self.dumps()?;
        let mut audit = audit(&posted, &books, &settled.stations);
        let differences = windows::compare(
            &mut Feeway::at(&self.entrance),
            &self.simulators,
            &books,
            self.seed,
        )?;
        audit.mismatched.extend(differences);
        Ok(Judgement {
            audit,
            takeovers: self.takeovers(&acted.done)?,
            settled_after: settled.took,
        })
    }

    /// The books of the processors, by name.
    pub(super) fn dumps(&self) -> Result<Vec<(&'static str, Book)>> {
        let simulators = self.simulators.iter();
        simulators.map(|s| Ok((s.name, dump(s)?))).collect()
    }

    /// The dearest processor: a healthy stack sends it nothing.
    pub(super) fn last_processor(&self) -> Result<&Simulator> {
        self.simulators.last().context("there is no processor")
    }

    /// The takeovers that the fronts' logs tell of.
    pub(super) fn takeovers(&self, done: &Done) -> Result<Vec<Takeover>> {
        let mut said = Vec::new();
        for front in self.stack.fronts() {
            said.extend(read_log(&self.stack.log(&front), &front)?);
        }
        Ok(takeovers(&said, &done.blows))
    }

    fn posted(&self, sightings: &Sightings) -> Vec<Posted> {
        let seen = (0..).zip(&sightings.payments);
        seen.filter(|(_, seen)| seen.posted)
            .map(|(number, seen)| {
                let payment = self.traffic().payment(number);
                Posted {
                    id: payment.id,
                    cents: payment.cents,
                    accepted: seen.accepted,
                }
            })
            .collect()
    }

    /// Stops everything. The folder goes, unless somebody asked for it or needs its logs.
    pub(super) fn end(self, passed: bool) -> Result<()> {
        let Self {
            stack,
            simulators,
            folder,
            keep_folder,
            ..
        } = self;
        drop(stack);
        drop(simulators);
        if passed && !keep_folder {
            fs::remove_dir_all(&folder)?;
        } else {
            println!("logs and data: {}", folder.display());
        }
        Ok(())
    }
}
