//! What a summary costs, by the number of settled payments and by the window; the same in the
//! way of the original; and how long an auditor waits while payments settle.
//!
//! `cargo bench --bench summary -- --ten-million` fills a third ledger with ten million
//! payments, which takes some minutes and 2.5 GB.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use feeway_benches::ledger::{
    Ledger, MIDNIGHT, connect, instant, memory_bytes, processor, settlement,
};
use feeway_benches::original;
use feeway_domain::{Ledger as _, Store, Summary, Window};
use feeway_load::times::{Times, told};
use feeway_store::{RedisConfig, RedisStore};
use feeway_testing::PrivateRedis;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, MissedTickBehavior, interval};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const HOUR: Duration = Duration::from_secs(3_600);
const SECOND_MICROS: i64 = 1_000_000;

/// A window by its length; the last is open at both ends.
const WINDOWS: [(&str, Option<Duration>); 4] = [
    ("13.5 s", Some(Duration::from_millis(13_500))),
    ("1 h", Some(HOUR)),
    ("24 h", Some(Duration::from_secs(24 * 3_600 - 1))),
    ("all", None),
];

/// Where the edges of a window lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edges {
    WholeSeconds,
    Any,
}

/// The ends of a window of this length, the first of them past noon unless it is too long.
fn ends(length: Option<Duration>, edges: Edges) -> Option<(i64, i64)> {
    let length = i64::try_from(length?.as_micros()).expect("a short time");
    let noon = MIDNIGHT + 12 * 3_600 * SECOND_MICROS;
    let latest = MIDNIGHT + 24 * 3_600 * SECOND_MICROS - length - SECOND_MICROS;
    let from = (noon + 123 * SECOND_MICROS).min(latest);
    Some(match edges {
        Edges::WholeSeconds => {
            let seconds = (length + SECOND_MICROS - 1) / SECOND_MICROS;
            (from, from + seconds * SECOND_MICROS - 1)
        }
        Edges::Any => (from + 345_678, from + 345_678 + length),
    })
}

fn window(length: Option<Duration>, edges: Edges) -> Window {
    let ends = ends(length, edges);
    let (from, to) = (ends.map(|ends| ends.0), ends.map(|ends| ends.1));
    Window::new(from.map(instant), to.map(instant)).expect("from before to")
}

/// So many summaries one after another.
async fn summaries(store: &RedisStore, window: Window, calls: u64) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..calls {
        let start = Instant::now();
        store.summary(window).await.expect("a summary");
        times.push(start.elapsed());
    }
    times
}

/// Payments between the ends and the nearest whole seconds, which alone are read one by one.
async fn in_edges(store: &RedisStore, length: Option<Duration>) -> u64 {
    let Some((from, to)) = ends(length, Edges::Any) else {
        return 0;
    };
    let mut payments = 0;
    for end in [from, to + 1] {
        let second = (end + SECOND_MICROS / 2) / SECOND_MICROS * SECOND_MICROS;
        let (from, to) = (end.min(second), end.max(second) - 1);
        if from > to {
            continue;
        }
        let window = Window::new(Some(instant(from)), Some(instant(to))).expect("an edge");
        let summary: Summary = store.summary(window).await.expect("a summary");
        payments += summary.0.iter().map(|(_, total)| total.count).sum::<u64>();
    }
    payments
}

fn fill(runtime: &Runtime, payments: u64) -> Ledger {
    runtime.block_on(async {
        let mut ledger = Ledger::start().await;
        let empty = memory_bytes(&mut ledger.raw).await;
        ledger.fill(payments, DAY).await;
        let each = (memory_bytes(&mut ledger.raw).await - empty) / payments;
        println!("{payments} payments over 24 h: {each} bytes each, roll-ups included");
        ledger
    })
}

/// Prints and plots what each window costs in one ledger.
fn ours(criterion: &mut Criterion, runtime: &Runtime, payments: u64, store: &RedisStore) {
    let mut group = criterion.benchmark_group("summary");
    for (name, length) in WINDOWS {
        let mut whole = Duration::ZERO;
        for edges in [Edges::WholeSeconds, Edges::Any] {
            if length.is_none() && edges == Edges::Any {
                continue;
            }
            let asked = window(length, edges);
            let (times, read) = runtime.block_on(async {
                summaries(store, asked, 100).await;
                let times = Times::new(summaries(store, asked, 2_000).await);
                (times, in_edges(store, length).await)
            });
            let (median, tail) = (told(times.median()), told(times.at(990)));
            let kind = format!("{edges:?}");
            println!("{payments:>9}  {name:>7}  {kind:<13}  p50 {median:>9}  p99 {tail:>9}");
            match edges {
                Edges::WholeSeconds => whole = times.median(),
                Edges::Any if read == 0 => {}
                Edges::Any => {
                    let more = times.median().saturating_sub(whole);
                    let each = more.as_secs_f64() * 1e6 / read as f64;
                    println!("           {read} single payments read, {each:.2} µs each");
                }
            }
            let id = BenchmarkId::new(format!("{name} {kind}"), payments);
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|calls| {
                    runtime.block_on(async {
                        let start = Instant::now();
                        summaries(store, asked, calls).await;
                        start.elapsed()
                    })
                });
            });
        }
    }
    group.finish();
}

/// Calls of one turn, and turns. Ledgers take turns, so that whatever else the machine does
/// slows all of them; and the median of the best turn counts, because each has a server of
/// its own, which may share its core with something else for a while.
const TURN: u64 = 100;
const TURNS: usize = 30;

/// Compares every ledger with the smallest. Gives back the time of everything in each.
async fn compare(ledgers: &[(u64, Ledger)]) -> Vec<Duration> {
    let mut everything = Vec::new();
    println!();
    for (name, length) in WINDOWS {
        let asked = window(length, Edges::WholeSeconds);
        let mut times = vec![Vec::new(); ledgers.len()];
        for _ in 0..TURNS {
            for ((_, ledger), times) in ledgers.iter().zip(&mut times) {
                times.push(Times::new(summaries(&ledger.store, asked, TURN).await).median());
            }
        }
        let medians: Vec<_> = times.into_iter().map(|t| Times::new(t).at(0)).collect();
        for ((payments, _), median) in ledgers.iter().zip(&medians).skip(1) {
            let (smallest, times) = (
                ledgers[0].0,
                median.as_secs_f64() / medians[0].as_secs_f64(),
            );
            println!("{name:>7}, whole seconds: {payments} cost {times:.2} × {smallest}");
        }
        everything = medians;
    }
    everything
}

/// Everything in the way of the original; the median of a few calls.
fn originals(criterion: &mut Criterion, runtime: &Runtime, payments: u64) -> Duration {
    let redis = PrivateRedis::start();
    let span = i64::try_from(DAY.as_micros()).expect("a day");
    let all = (MIDNIGHT, MIDNIGHT + span);
    let mut raw = runtime.block_on(async {
        let raw = connect(&redis).await;
        original::fill(&raw, payments, MIDNIGHT, span).await;
        raw
    });
    let call = |raw: &mut MultiplexedConnection, calls: u64| {
        runtime.block_on(async {
            let mut times = Vec::new();
            for _ in 0..calls {
                let start = Instant::now();
                original::summary(raw, all.0, all.1).await;
                times.push(start.elapsed());
            }
            times
        })
    };
    let median = Times::new(call(&mut raw, 5)).median();
    println!(
        "{payments:>9}      all  the original  p50 {:>9}",
        told(median)
    );
    if payments <= 10_000 {
        let mut group = criterion.benchmark_group("summary");
        group.bench_function(BenchmarkId::new("all, the original", payments), |bencher| {
            bencher.iter_custom(|calls| call(&mut raw, calls).iter().sum());
        });
        group.finish();
    }
    median
}

const SETTLES_A_SECOND: u64 = 1_000;
const AUDIT: Duration = Duration::from_secs(20);

/// An auditor asks for the last 13.5 s but 1.5 s, as often as it can get a word in every
/// 5 ms, while payments settle from another process's store.
async fn audit_while_settling(redis: &PrivateRedis, asking: &RedisStore) -> Times {
    let settling = RedisStore::new(RedisConfig::new(
        redis
            .url()
            .parse()
            .expect("the path of a socket makes a URL"),
    ));
    settling.redis().ready().await.expect("our schema");
    let ended = Instant::now() + AUDIT;
    let now = {
        let began = Instant::now();
        move || {
            let passed = i64::try_from(began.elapsed().as_micros()).expect("a short time");
            MIDNIGHT + 2 * 24 * 3_600 * SECOND_MICROS + passed
        }
    };
    let settles = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_micros(1_000_000 / SETTLES_A_SECOND));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut settled = 0;
        while Instant::now() < ended {
            ticks.tick().await;
            let done = settlement(1 << 40 | settled, now());
            let store = settling.clone();
            tokio::spawn(async move { store.settle(&done).await.expect("settled") });
            settled += 1;
        }
        settled
    });
    let mut times = Vec::new();
    let mut ticks = interval(Duration::from_millis(5));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < ended {
        ticks.tick().await;
        let at = now();
        let window = Window::new(
            Some(instant(at - 15 * SECOND_MICROS)),
            Some(instant(at - 3 * SECOND_MICROS / 2)),
        );
        let start = Instant::now();
        let summary = asking.summary(window.expect("a window")).await;
        times.push(start.elapsed());
        summary.expect("a summary");
    }
    let settled = settles.await.expect("settling ends");
    println!(
        "{settled} settles in {} s, {} audits meanwhile",
        AUDIT.as_secs(),
        times.len()
    );
    Times::new(times)
}

async fn memory_of_an_hour() {
    let mut ledger = Ledger::start().await;
    let empty = memory_bytes(&mut ledger.raw).await;
    ledger.fill(1_000_000, HOUR).await;
    let used = memory_bytes(&mut ledger.raw).await - empty;
    println!(
        "\n1000000 payments over 1 h: {} bytes each, roll-ups included",
        used / 1_000_000
    );
    let asking = RedisStore::new(RedisConfig::new(
        ledger
            .redis
            .url()
            .parse()
            .expect("the path of a socket makes a URL"),
    ));
    asking.redis().ready().await.expect("our schema");
    let times = audit_while_settling(&ledger.redis, &asking).await;
    let name = processor(1);
    println!(
        "13.5 s of {name} and others while {SETTLES_A_SECOND}/s settle: p50 {}  p99 {}  max {}",
        told(times.median()),
        told(times.at(990)),
        told(times.at(1_000))
    );
}

fn main() {
    let largest = std::env::args().any(|argument| argument == "--ten-million");
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let sizes: &[u64] = if largest {
        &[10_000, 1_000_000, 10_000_000]
    } else {
        &[10_000, 1_000_000]
    };
    let ledgers = sizes
        .iter()
        .map(|&payments| (payments, fill(&runtime, payments)));
    let ledgers: Vec<_> = ledgers.collect();
    for (payments, ledger) in &ledgers {
        ours(&mut criterion, &runtime, *payments, &ledger.store);
    }
    let everything = runtime.block_on(compare(&ledgers));
    for ((payments, _), ours) in ledgers.iter().zip(everything).take(2) {
        let theirs = originals(&mut criterion, &runtime, *payments);
        let times = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("everything of {payments}: the original takes {times:.0} × as long");
    }
    drop(ledgers);
    runtime.block_on(memory_of_an_hour());
    criterion.final_summary();
}
