//! Every fault at once, under load: the stack must come out of it with all books equal.

use std::sync::Arc;

use anyhow::Result;
use feeway_machine::clock;
use feeway_stack::up::Fsync;

use super::faults::FaultRun;
use super::register::Register;
use super::schedule::{self, Setting};
use super::trial::{Acted, Trial};

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    let (fronts, leaders) = (trial.stack.fronts(), trial.stack.leaders());
    let steps = schedule::draw(&Setting {
        seed: trial.seed,
        length: trial.length,
        fronts: &fronts,
        leaders: &leaders,
        fsync_always: trial.fsync == Fsync::Always,
    });
    let register = Arc::new(Register::default());
    let begin = clock::now();
    let load = trial.start_load(0..trial.tickets(), &register)?;
    let run = FaultRun::new(&trial.stack, &trial.simulators, &trial.interrupt, begin);
    let mut done = run.run(&steps, trial.length)?;
    load.stop();
    println!("Healing …");
    trial.heal()?;
    let measured = std::mem::take(&mut done.operators).join()?;
    load.join()?;
    Ok(Acted {
        sightings: register.sightings(),
        done,
        measured,
        ..Acted::default()
    })
}
