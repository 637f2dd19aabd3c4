//! Waits until nothing is open any more.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use feeway_machine::clock::{self, Deadline};
use feeway_machine::interrupt::Interrupt;
use feeway_machine::readiness::Address;

use super::books::{Feeway, Station, inside, stations};
use super::simulators::Simulator;

/// From the end of the last fault until everything is settled: three of the minutes in which
/// a pinned payment leaves one ghost.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(180);

/// And so much more for each payment, for a backlog that is large: 200 a second.
const MORE_A_PAYMENT: Duration = Duration::from_millis(5);

/// When the count stands still for so long, what is missing is looked for one by one.
const STANDS_STILL_AFTER: Duration = Duration::from_secs(15);

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What Feeway says of each payment at the end, and how long the end took to come.
pub(super) struct Settled {
    pub(super) stations: BTreeMap<String, Station>,
    pub(super) took: Duration,
}

/// Waits until Feeway knows nothing open of `ids` and the processors have nothing at work,
/// for a bounded time. First the summary's count is looked at, which is cheap, until it is no
/// less than `accepted`; then every payment is asked for, and open ones again and again.
pub(super) fn await_settled(
    entrance: &Address,
    simulators: &[Simulator],
    ids: &[&str],
    accepted: u64,
    interrupt: &Interrupt,
) -> Result<Settled> {
    let begin = clock::now();
    let more = MORE_A_PAYMENT.saturating_mul(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    let deadline = Deadline::after(SETTLE_TIMEOUT + more);
    await_count(entrance, simulators, accepted, deadline, interrupt)?;
    let mut stations_now = stations(entrance, ids)?;
    loop {
        let open: Vec<&str> = stations_now
            .iter()
            .filter(|(_, station)| **station == Station::Open)
            .map(|(id, _)| id.as_str())
            .collect();
        if open.is_empty() || deadline.passed() {
            break;
        }
        interrupt.check()?;
        thread::sleep(LOOK_EVERY);
        let changed = stations(entrance, &open)?;
        stations_now.extend(changed);
    }
    Ok(Settled {
        stations: stations_now,
        took: begin.elapsed(),
    })
}

fn await_count(
    entrance: &Address,
    simulators: &[Simulator],
    accepted: u64,
    deadline: Deadline,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut feeway = Feeway::at(entrance);
    let mut last: (u64, Instant) = (0, clock::now());
    while !deadline.passed() {
        interrupt.check()?;
        let settled = feeway.settled()?;
        if settled != last.0 {
            last = (settled, clock::now());
        }
        // A request that is still inside may yet be stored.
        let busy = simulators.iter().map(inside).sum::<Result<u64>>()? > 0;
        if !busy && (settled >= accepted || last.1.elapsed() > STANDS_STILL_AFTER) {
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
