//! kill -9 of every process of the stack under load, and up again with the same data. The
//! processors live on: they are the world outside.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use feeway_machine::clock::{self, Deadline};
use feeway_stack::simulators::Switch;

use super::faults::Done;
use super::register::Register;
use super::trial::{Acted, Trial};

/// How long the stack works between two ends, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 6_000..15_000;

/// It should be at work when it ends, so the processors take their time.
const DELAYS_MS: [u32; 4] = [0, 20, 200, 1_000];

const LONGEST_NAP: Duration = Duration::from_millis(100);

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    let mut dice = Rng::with_seed(trial.seed);
    let register = Arc::new(Register::default());
    let begin = clock::now();
    let load = trial.start_load(0..trial.tickets(), &register)?;
    let mut done = Done::default();
    let mut measured = Vec::new();
    loop {
        let life = Duration::from_millis(dice.u64(LIFE_MS)).min(trial.length / 2);
        if !done.counts.is_empty() && begin.elapsed() + life > trial.length {
            break;
        }
        for simulator in &trial.simulators {
            let delay = dice.choice(DELAYS_MS).unwrap_or(0);
            simulator.set(&Switch::DelayMs(delay))?;
        }
        nap(trial, Deadline::after(life))?;
        let at = begin.elapsed();
        let killed = trial.stack.kill_all()?;
        trial.stack.start_again()?;
        *done.counts.entry("kill all".to_owned()).or_default() += 1;
        measured.push(format!(
            "{:6.1} s  {killed} processes killed, up again after {:.1} s",
            at.as_secs_f64(),
            (begin.elapsed() - at).as_secs_f64()
        ));
    }
    nap(
        trial,
        Deadline::after(trial.length.saturating_sub(begin.elapsed())),
    )?;
    load.stop();
    trial.heal()?;
    load.join()?;
    Ok(Acted {
        sightings: register.sightings(),
        done,
        measured,
        ..Acted::default()
    })
}

fn nap(trial: &Trial, until: Deadline) -> Result<()> {
    while !until.passed() {
        trial.interrupt.check()?;
        thread::sleep(until.remaining().min(LONGEST_NAP));
    }
    Ok(())
}
