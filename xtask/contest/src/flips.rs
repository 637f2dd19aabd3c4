//! How soon the stack leaves a processor that fails, and how soon it is back.
//!
//! Under an even load the cheapest processor fails and recovers again and again. What it is
//! sent while it fails is told by its count of POSTs in each second, and its return by the
//! `requestedAt` of what it holds afterwards.

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::k6::K6;
use feeway_stack::simulators::{Setting, fails, works};

use super::RinhaOptions;
use super::contest::Arena;
use super::k6_run;
use super::scenario::{Load, Scenario};

/// Payments a second.
const RATE: u32 = 300;
const FLIPS: usize = 10;

/// Enough for five whole seconds that begin a second after the failure.
const FAILING_FOR: Duration = Duration::from_millis(7_200);
const FINE_FOR: Duration = Duration::from_millis(3_300);
const WARM_UP: Duration = Duration::from_secs(5);

/// What a processor that has recovered takes.
const RECOVERED: Setting = works(20);

/// From so long after the failure on, it gets at most [`MAX_POSTS`] in so many seconds.
const SEEN_AFTER_US: i64 = 1_000_000;
const SPAN_SECONDS: usize = 5;
const MAX_POSTS: u64 = 60;

/// So soon after the recovery half of the traffic is to be back.
const MAX_RETURN_MS: i64 = 500;

/// Where in a second of the clock a failure begins.
const BEGINS_AT_US: i64 = 985_000;

/// Half of the traffic flows when half of what arrives in so long is sent in so long.
const WINDOW_US: i64 = 100_000;
const HALF_OF_WINDOW: usize = RATE as usize / 20;
const WINDOW_STEP_US: i64 = 10_000;

/// One failure and its end.
struct Flip {
    recovered_us: i64,
    /// The most POSTs in any five seconds of the failure.
    most_posts: u64,
}

fn now_us() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as i64)
}

/// Measures with the failing processor answering at once, and with it taking 2 s. Returns
/// whether both bounds are kept.
pub(super) fn run(
    options: &RinhaOptions,
    k6: &K6,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<bool> {
    let mut kept = true;
    for delay_ms in [0, 2000] {
        let folder = folder.join(format!("failing-{delay_ms}ms"));
        kept &= measure(options, k6, &folder, delay_ms, interrupt)?;
    }
    Ok(kept)
}

fn scenario() -> Scenario {
    let flip = FAILING_FOR + FINE_FOR;
    let a_second = Duration::from_secs(1);
    let length = WARM_UP + (flip + a_second).saturating_mul(FLIPS as u32);
    Scenario {
        name: "flips",
        seconds: length.as_secs() as u32 + 1,
        load: Load::PerSecond(RATE),
        audit: None,
        // The settings are not k6's business here.
        stages: Vec::new(),
        ..Scenario::preview()
    }
}

fn measure(
    options: &RinhaOptions,
    k6: &K6,
    folder: &Path,
    delay_ms: u32,
    interrupt: &Interrupt,
) -> Result<bool> {
    let scenario = scenario();
    let arena = Arena::start(&scenario, options, folder)?;
    let length = scenario.ends_after();
    println!(
        "\n{FLIPS} failures at {delay_ms} ms under {RATE} payments/s, {} s …",
        length.as_secs()
    );
    arena.processors[0].set(RECOVERED)?;
    let mut load = k6_run::start(k6, &arena.plan(&scenario), arena.report(), length)?;
    pause(WARM_UP, interrupt)?;
    let mut flips = Vec::new();
    for _ in 0..FLIPS {
        flips.push(flip(&arena, delay_ms, interrupt)?);
    }
    let counted = load.finish(interrupt)?;

    let mut sent: Vec<i64> = arena.processors[0].dump()?.into_values().collect();
    sent.sort_unstable();
    let mut returns_ms = Vec::new();
    for flip in &flips {
        let back = back_at(&sent, flip.recovered_us).context("the traffic never came back")?;
        returns_ms.push((back - flip.recovered_us) / 1000);
    }
    let most: Vec<u64> = flips.iter().map(|flip| flip.most_posts).collect();
    println!("failed requests        {}", counted.failed);
    println!("POSTs in 5 s, at most  {most:?} (allowed: {MAX_POSTS})");
    println!("back after ms          {returns_ms:?}");
    returns_ms.sort_unstable();
    let median = returns_ms[returns_ms.len() / 2];
    println!("  median               {median} (allowed: {MAX_RETURN_MS})");
    let quiet = most.iter().all(|posts| *posts <= MAX_POSTS);
    Ok(quiet && median <= MAX_RETURN_MS && counted.failed == 0)
}

fn flip(arena: &Arena, delay_ms: u32, interrupt: &Interrupt) -> Result<Flip> {
    let processor = &arena.processors[0];
    // POSTs are counted by the clock's seconds: one is to begin just after the time in which
    // the failure may go unseen.
    let into_second = now_us().rem_euclid(1_000_000);
    let until = (BEGINS_AT_US - into_second).rem_euclid(1_000_000);
    pause(Duration::from_micros(until.unsigned_abs()), interrupt)?;
    let failed_us = now_us();
    processor.set(fails(delay_ms))?;
    pause(FAILING_FOR, interrupt)?;
    let before_us = now_us();
    processor.set(RECOVERED)?;
    let recovered_us = now_us();
    let first = (failed_us + SEEN_AFTER_US).div_euclid(1_000_000) + 1;
    let last = before_us.div_euclid(1_000_000);
    let posts: Vec<u64> = processor
        .stats()?
        .per_second
        .iter()
        .filter(|second| (first..last).contains(&second.second))
        .map(|second| second.posts)
        .collect();
    if posts.len() < SPAN_SECONDS {
        bail!("the failure lasted only {} whole seconds", posts.len());
    }
    pause(FINE_FOR, interrupt)?;
    Ok(Flip {
        recovered_us,
        most_posts: posts
            .windows(SPAN_SECONDS)
            .map(|span| span.iter().sum())
            .max()
            .unwrap_or(0),
    })
}

fn pause(length: Duration, interrupt: &Interrupt) -> Result<()> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let deadline = Deadline::after(length);
    while !deadline.passed() {
        interrupt.check()?;
        thread::sleep(deadline.remaining().min(LOOK_EVERY));
    }
    Ok(())
}

/// From when on half of the traffic went there again. `sent` is in order.
fn back_at(sent: &[i64], recovered_us: i64) -> Option<i64> {
    let last = *sent.last()?;
    let before = |at: i64| sent.partition_point(|sent| *sent < at);
    let mut at = recovered_us;
    while at <= last {
        if before(at + WINDOW_US) - before(at) >= HALF_OF_WINDOW {
            return Some(at);
        }
        at += WINDOW_STEP_US;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traffic_is_back_when_half_of_it_flows() {
        let trickle = (0..10).map(|n| n * 200_000);
        let flow = (0..300).map(|n| 2_000_000 + n * 5_000);
        let sent: Vec<i64> = trickle.chain(flow).collect();
        let back = back_at(&sent, 1_000_000).unwrap();
        assert!((1_950_000..2_000_000).contains(&back), "{back}");
        assert_eq!(back_at(&sent, 9_000_000), None);
        assert_eq!(back_at(&sent[..10], 0), None);
    }
}
