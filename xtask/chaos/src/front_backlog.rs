//! A front dies with thousands of open payments, and stays dead: another one must take them
//! over soon and settle them about as fast as its own.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_stack::simulators::Switch;
use rustix::process::Signal;

use super::books::{Book, Feeway};
use super::faults::{Blow, BlowKind};
use super::load::{Load, LoadPlan};
use super::register::Register;
use super::traffic::Payment;
use super::trial::{Acted, Trial};

/// Tickets of each backlog; one in twenty is no new payment. Twice as many as must be open
/// would do for the takeover, but a rate over less than half a second is mostly noise.
const TICKETS: u64 = 20_000;

/// How many open payments the front must own when it dies.
const MIN_BACKLOG: u64 = 5_000;

/// Backlogs are made at this rate.
const FILL_RATE: u64 = 2_000;

/// How soon they must be taken over.
const MAX_ADOPTION: Duration = Duration::from_secs(10);

/// What part of the normal rate the adopted ones must reach: half.
const MIN_RATE_PERCENT: f64 = 50.0;

/// A backlog must be settled by then.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    let fronts = trial.stack.fronts();
    let [victim, heir] = &*fronts else {
        bail!("this scenario is for two fronts");
    };
    let register = Arc::new(Register::default());
    let mut feeway = Feeway::at(&trial.entrance);
    let mut acted = Acted::default();

    println!("A backlog of {heir}'s own, for comparison …");
    let own = 0..TICKETS;
    let settled = feeway.settled()?;
    let backlog = fill(trial, &register, heir, own.clone())?;
    set_failing(trial, false)?;
    await_settled(trial, &mut feeway, settled + backlog)?;
    let normal = Drain::of(&trial.dumps()?, &own)?;
    acted.measured.push(format!("normally: {normal}"));

    println!("A backlog of {victim}'s …");
    let orphaned = TICKETS..2 * TICKETS;
    let settled = feeway.settled()?;
    let backlog = fill(trial, &register, victim, orphaned.clone())?;
    trial.stack.pause_supervisor()?;
    set_failing(trial, false)?;
    let struck = trial.stack.signal(victim, Signal::KILL)?;
    let begin = clock::now();
    struck.context("there was no process to kill")?;
    acted.done.blows.push(Blow {
        at_us: jiff::Timestamp::now().as_microsecond(),
        name: victim.clone(),
        what: BlowKind::Killed,
    });
    *acted
        .done
        .counts
        .entry("kill front".to_owned())
        .or_default() += 1;
    let orphans = (settled + backlog).saturating_sub(feeway.settled()?);
    await_settled(trial, &mut feeway, settled + backlog)?;
    let took = begin.elapsed();
    let adopted = Drain::of(&trial.dumps()?, &orphaned)?;
    acted.measured.push(format!(
        "{victim} killed with {orphans} open payments, all settled {:.1} s later: {adopted}",
        took.as_secs_f64()
    ));
    let share = adopted.rate() / normal.rate() * 100.0;
    let text = format!("adopted payments settle at {share:.0} % of the normal rate");
    if share < MIN_RATE_PERCENT {
        acted.failures.push(text.clone());
    }
    acted.measured.push(text);
    if orphans < MIN_BACKLOG {
        let text = format!("only {orphans} payments were open, not {MIN_BACKLOG}");
        acted.failures.push(text);
    }
    judge_adoption(trial, &mut acted)?;
    trial.heal()?;
    acted.sightings = register.sightings();
    Ok(acted)
}

fn judge_adoption(trial: &Trial, acted: &mut Acted) -> Result<()> {
    let takeovers = trial.takeovers(&acted.done)?;
    let adopted = takeovers.first().map(|takeover| takeover.adopted_after_us);
    let limit = i64::try_from(MAX_ADOPTION.as_micros()).unwrap_or(i64::MAX);
    match adopted {
        Some(micros) if micros <= limit => {}
        Some(micros) => acted.failures.push(format!(
            "taken over after {:.1} s, not within {} s",
            micros as f64 / 1e6,
            MAX_ADOPTION.as_secs()
        )),
        None => acted.failures.push("no log reports a takeover".to_owned()),
    }
    Ok(())
}

/// Lets the processors fail and gives a front a backlog, past HAProxy. Returns how many
/// payments it has.
fn fill(trial: &Trial, register: &Arc<Register>, front: &str, tickets: Range<u64>) -> Result<u64> {
    set_failing(trial, true)?;
    let before = register.sightings().accepted();
    let plan = LoadPlan {
        traffic: trial.traffic(),
        address: trial.stack.address(front)?,
        rate: FILL_RATE,
        tickets,
    };
    Load::start(plan, register)?.join()?;
    trial.interrupt.check()?;
    Ok(register.sightings().accepted() - before)
}

fn set_failing(trial: &Trial, failing: bool) -> Result<()> {
    let mut simulators = trial.simulators.iter();
    simulators.try_for_each(|simulator| simulator.set(&Switch::Failing(failing)))
}

/// Waits until so many payments are settled.
fn await_settled(trial: &Trial, feeway: &mut Feeway, target: u64) -> Result<()> {
    let deadline = Deadline::after(SETTLE_TIMEOUT);
    loop {
        trial.interrupt.check()?;
        let settled = feeway.settled()?;
        if settled >= target {
            return Ok(());
        }
        if deadline.passed() {
            bail!("only {settled} of {target} payments were settled in time");
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// How fast a backlog ran off, by the stamps of the attempts that succeeded: exact to the
/// microsecond, where a look at the summary is to some hundredths of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Drain {
    /// Without the first and the last tenth, which wait for probes and stragglers.
    payments: u64,
    micros: u64,
}

impl Drain {
    /// Of the payments with these numbers.
    fn of(books: &[(&str, Book)], numbers: &Range<u64>) -> Result<Self> {
        let mut stamps: Vec<i64> = books
            .iter()
            .flat_map(|(_, book)| book)
            .filter(|(id, _)| Payment::number(id).is_some_and(|number| numbers.contains(&number)))
            .map(|(_, held)| held.requested_at_us)
            .collect();
        stamps.sort_unstable();
        let (from, to) = (stamps.len() / 10, stamps.len() * 9 / 10);
        let (Some(first), Some(last)) = (stamps.get(from), stamps.get(to)) else {
            bail!("nothing of the backlog was settled");
        };
        let micros = u64::try_from(last - first)?;
        if micros == 0 {
            bail!("the backlog was too small to measure a rate");
        }
        let payments = (to - from) as u64;
        Ok(Self { payments, micros })
    }

    /// Payments a second.
    fn rate(self) -> f64 {
        self.payments as f64 / (self.micros as f64 / 1e6)
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {:.1} ms, {:.0}/s",
            self.payments,
            self.micros as f64 / 1000.0,
            self.rate()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::books::Held;
    use super::super::traffic::Traffic;
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_middle_of_the_backlog_alone() {
        let traffic = Traffic { seed: 1 };
        let at = |number: u64, us| {
            let held = Held {
                cents: 1,
                requested_at_us: us,
            };
            (traffic.payment(number).id, held)
        };
        // A hundred at 1000/s; the first comes far too early, and two are not of them.
        let mut book: Book = (10..110).zip(1..).map(|(n, ms)| at(n, ms * 1000)).collect();
        book.extend([at(10, -9_000_000), at(9, 5), at(110, 6)]);
        let drain = Drain::of(&[("default", book)], &(10..110)).unwrap();
        assert_eq!((drain.payments, drain.micros), (80, 80_000));
        assert!((drain.rate() - 1000.0).abs() < 1e-6);
        assert!(Drain::of(&[], &(10..110)).is_err());
    }
}
