//! A client at an even pace. Each request has an absolute time at which it is due, and its
//! latency is counted from then: a server that stalls is charged for everybody it kept
//! waiting, not for one request only.
//!
//! Each of several threads keeps a connection and blocks in it, so that an answer is seen as
//! soon as the kernel has it, and no request waits for another one's answer. A thread sleeps
//! until shortly before its next request is due and spins for the rest: the kernel wakes it
//! some tens of microseconds late, which is as much as is to be measured. At 300 a second
//! and 100 µs that is 3 % of a core.

use std::hint;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use feeway_load::arrivals::Arrivals;
use feeway_load::times::Times;
use feeway_load::wire::{Connection, Recipient, payment};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For every thread to be there before the first request is due.
const SET_OUT: Duration = Duration::from_millis(200);

/// Sends payments at an even pace and prints one line of JSON about their latency
#[derive(Parser)]
#[command(name = "feeway-pace")]
struct CommandLine {
    /// Where payments go
    target: SocketAddr,

    /// Whom they are written for
    #[arg(long, value_enum, default_value = "gateway")]
    to: Recipient,

    /// Requests a second
    #[arg(long, default_value_t = 300.0, value_parser = rate)]
    rate: f64,

    /// Begin at nothing and become evenly more until the rate is reached at the end
    #[arg(long)]
    ramp: bool,

    /// How long
    #[arg(long, default_value_t = 20.0, value_parser = seconds)]
    seconds: f64,

    /// How many connections
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    connections: u32,

    /// How long before a request is due the sleep ends; 0 for a load that is not measured
    #[arg(long, default_value_t = 100)]
    spin_micros: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    bounded(text, 0.1, 100_000.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    bounded(text, 0.1, 3_600.0)
}

fn bounded(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse().map_err(|_bad| "not a number".to_owned())?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("must be from {least} to {most}"))
    }
}

/// What became of some requests.
#[derive(Default)]
struct Outcome {
    latencies: Vec<Duration>,
    /// Sent so long after they were due.
    lags: Vec<Duration>,
    failed: u64,
    first_failure: Option<String>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "threads that block: there is no async runtime here"
)]
fn now() -> Instant {
    Instant::now()
}

fn wait_until(due: Instant, spin: Duration) {
    let rest = due.saturating_duration_since(now());
    if rest > spin {
        thread::sleep(rest - spin);
    }
    while now() < due {
        if spin.is_zero() {
            thread::yield_now();
        }
        hint::spin_loop();
    }
}

/// Sends every n-th request, as each is due.
fn run(line: &CommandLine, arrivals: Arrivals, begin: Instant, first: u64) -> Outcome {
    // By default the kernel ends a sleep up to 50 µs late, to join it with others.
    if let Err(error) = rustix::thread::set_current_timer_slack(NonZeroU64::new(1)) {
        eprintln!("sleeps stay inexact: {error}");
    }
    let spin = Duration::from_micros(line.spin_micros);
    let mut connection = Connection::new(line.target);
    let mut outcome = Outcome::default();
    // A new connection is no part of the latency; what goes wrong is seen at the first request.
    connection.open().unwrap_or_default();
    let mut number = first;
    while number < arrivals.count() {
        let request = payment(line.to, fastrand::u128(..));
        let due = begin + arrivals.due(number);
        wait_until(due, spin);
        outcome.lags.push(due.elapsed());
        let failure = match connection.ask(&request) {
            Ok(200..=299) => None,
            Ok(status) => Some(format!("status {status}")),
            Err(error) => Some(error.to_string()),
        };
        if let Some(failure) = failure {
            outcome.failed += 1;
            outcome.first_failure.get_or_insert(failure);
        } else {
            outcome.latencies.push(due.elapsed());
        }
        number += u64::from(line.connections);
    }
    outcome
}

fn print(outcome: Outcome, elapsed: Duration) -> Result<()> {
    if outcome.lags.is_empty() {
        bail!("nothing was due");
    }
    let ok = outcome.latencies.len();
    let at = |times: &Option<Times>, thousandths| {
        let time = times.as_ref().map(|times| times.at(thousandths));
        time.map(|time| time.as_nanos() as f64 / 1e3)
    };
    let latencies = (ok > 0).then(|| Times::new(outcome.latencies));
    let lags = Some(Times::new(outcome.lags));
    let told = json!({
        "ok": ok,
        "failed": outcome.failed,
        "firstFailure": outcome.first_failure,
        "seconds": elapsed.as_secs_f64(),
        "p50Us": at(&latencies, 500),
        "p99Us": at(&latencies, 990),
        "p999Us": at(&latencies, 999),
        "maxUs": at(&latencies, 1000),
        "lagP99Us": at(&lags, 990),
    });
    println!("{told}");
    Ok(())
}

fn main() -> Result<()> {
    let line = CommandLine::parse();
    let arrivals = Arrivals {
        rate: line.rate,
        length: Duration::from_secs_f64(line.seconds),
        ramp: line.ramp,
    };
    let begin = now() + SET_OUT;
    let outcomes: Result<Vec<Outcome>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..line.connections)
            .map(|first| {
                let line = &line;
                scope.spawn(move || run(line, arrivals, begin, first.into()))
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Outcome>| {
            thread.join().ok().context("a thread panicked")
        };
        threads.into_iter().map(join).collect()
    });
    let elapsed = begin.elapsed();
    let mut all = Outcome::default();
    for mut one in outcomes? {
        all.latencies.append(&mut one.latencies);
        all.lags.append(&mut one.lags);
        all.failed += one.failed;
        all.first_failure = all.first_failure.or(one.first_failure);
    }
    print(all, elapsed)
}
