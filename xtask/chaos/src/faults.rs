//! Does what a schedule says.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::process_id::ProcessId;
use feeway_stack::private_stack::PrivateStack;
use rustix::process::Signal;

use super::operator::{Operator, Operators};
use super::schedule::{Action, Step};
use super::simulators::Simulator;

const LONGEST_NAP: Duration = Duration::from_millis(100);

/// Something that was done to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blow {
    /// Microseconds since 1970.
    pub(super) at_us: i64,
    pub(super) name: String,
    pub(super) what: BlowKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlowKind {
    Killed,
    Paused,
    Resumed,
}

/// What was really done: a process that just starts again is not killed twice.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// How often each kind of fault was made.
    pub(super) counts: BTreeMap<String, u64>,
    /// In the order of time.
    pub(super) blows: Vec<Blow>,
    /// Those who may still be at work.
    pub(super) operators: Operators,
}

/// Carries a schedule out, and says each step.
pub(super) struct FaultRun<'a> {
    pub(super) stack: &'a PrivateStack,
    pub(super) simulators: &'a [Simulator],
    pub(super) interrupt: &'a Interrupt,
    /// When the time of the schedule begins.
    pub(super) begin: Instant,
    /// A paused process has this identity until it is resumed, whatever runs by its name.
    paused: BTreeMap<String, ProcessId>,
    done: Done,
}

impl<'a> FaultRun<'a> {
    pub(super) fn new(
        stack: &'a PrivateStack,
        simulators: &'a [Simulator],
        interrupt: &'a Interrupt,
        begin: Instant,
    ) -> Self {
        Self {
            stack,
            simulators,
            interrupt,
            begin,
            paused: BTreeMap::new(),
            done: Done::default(),
        }
    }

    /// Runs until `end`; steps after it are left out.
    pub(super) fn run(mut self, steps: &[Step], end: Duration) -> Result<Done> {
        for step in steps.iter().filter(|step| step.at < end) {
            self.sleep_until(step.at)?;
            let struck = self.act(&step.action)?;
            let miss = if struck {
                ""
            } else {
                " (it is not running now)"
            };
            println!("{:8.1} s  {}{miss}", step.at.as_secs_f64(), step.action);
            if let Some(fault) = step.action.fault().filter(|_| struck) {
                *self.done.counts.entry(fault).or_default() += 1;
            }
        }
        self.sleep_until(end)?;
        Ok(self.done)
    }

    fn sleep_until(&self, at: Duration) -> Result<()> {
        loop {
            self.interrupt.check()?;
            let rest = at.saturating_sub(self.begin.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(LONGEST_NAP));
        }
    }

    /// Returns whether there was anything to do it to.
    fn act(&mut self, action: &Action) -> Result<bool> {
        match action {
            Action::Kill(name) => {
                let struck = self.stack.signal(name, Signal::KILL)?.is_some();
                self.note(struck, name, BlowKind::Killed);
                Ok(struck)
            }
            Action::Pause(name) => {
                let struck = self.stack.signal(name, Signal::STOP)?;
                if let Some(process) = struck {
                    self.paused.insert(name.clone(), process);
                }
                self.note(struck.is_some(), name, BlowKind::Paused);
                Ok(struck.is_some())
            }
            Action::Resume(name) => {
                let paused = self.paused.remove(name).filter(|id| id.is_alive());
                if let Some(process) = paused {
                    process.signal(Signal::CONT)?;
                }
                self.note(paused.is_some(), name, BlowKind::Resumed);
                Ok(paused.is_some())
            }
            Action::Decide(place) => {
                let simulator = &self.simulators[*place];
                let operators = &mut self.done.operators;
                operators.start(Operator::new(self.stack.tool()?, simulator))?;
                Ok(true)
            }
            Action::Trouble(place, switch) | Action::Relief(place, switch) => {
                self.simulators[*place].set(switch)?;
                Ok(true)
            }
        }
    }

    fn note(&mut self, struck: bool, name: &str, what: BlowKind) {
        if struck {
            self.done.blows.push(Blow {
                at_us: jiff::Timestamp::now().as_microsecond(),
                name: name.to_owned(),
                what,
            });
        }
    }
}
