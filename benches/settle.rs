//! How many payments settle in a second, against plain `SET` over the same connection; and
//! what one costs Redis by its own statistics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use feeway_benches::ledger::{
    Ledger, MIDNIGHT, payment, processor, reset_stats, settlement, spent_micros,
};
use feeway_domain::{Hold, Incarnation, Store};
use futures_util::stream::{self, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Between two payments, as at 300 a second.
const GAP_MICROS: i64 = 3_333;

/// So many at once, and the payments of one round of statistics.
const STATISTICS: [(usize, u64); 2] = [(1, 20_000), (256, 100_000)];
const ROUNDS: usize = 5;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Numbers that no payment had before.
fn fresh(payments: u64) -> std::ops::Range<u64> {
    let first = NEXT.fetch_add(payments, Ordering::Relaxed);
    first..first + payments
}

async fn accept(ledger: &Ledger, hold: &Hold, numbers: std::ops::Range<u64>) {
    stream::iter(numbers)
        .map(|number| async move {
            let named = processor(number);
            ledger
                .store
                .accept(hold, &payment(number), Some(&named))
                .await
        })
        .buffer_unordered(256)
        .for_each(|accepted| async move { assert!(accepted.is_ok(), "{accepted:?}") })
        .await;
}

/// Settles payments that were accepted, so many at once.
async fn settle(ledger: &Ledger, numbers: std::ops::Range<u64>, at_once: usize) -> Duration {
    let start = Instant::now();
    stream::iter(numbers)
        .map(|number| async move {
            let since = i64::try_from(number).expect("a number") * GAP_MICROS;
            ledger
                .store
                .settle(&settlement(number, MIDNIGHT + since))
                .await
        })
        .buffer_unordered(at_once)
        .for_each(|settled| async move { assert!(settled.is_ok(), "{settled:?}") })
        .await;
    start.elapsed()
}

/// As many plain writes of a record's size.
async fn set(ledger: &Ledger, numbers: std::ops::Range<u64>, at_once: usize) -> Duration {
    let start = Instant::now();
    stream::iter(numbers)
        .map(|number| {
            let mut raw = ledger.raw.clone();
            async move {
                let key = payment(number).id.to_string();
                let set = redis::cmd("SET")
                    .arg(key)
                    .arg("default:1752582896123456:1990:50000")
                    .take();
                set.exec_async(&mut raw).await
            }
        })
        .buffer_unordered(at_once)
        .for_each(|set| async move { assert!(set.is_ok(), "{set:?}") })
        .await;
    start.elapsed()
}

fn throughput(criterion: &mut Criterion, runtime: &Runtime, ledger: &Ledger, hold: &Hold) {
    let mut group = criterion.benchmark_group("settle");
    group.throughput(Throughput::Elements(1));
    for at_once in [1, 16, 256] {
        group.bench_function(BenchmarkId::new("settle", at_once), |bencher| {
            bencher.iter_custom(|payments| {
                runtime.block_on(async {
                    let numbers = fresh(payments);
                    accept(ledger, hold, numbers.clone()).await;
                    settle(ledger, numbers, at_once).await
                })
            });
        });
        group.bench_function(BenchmarkId::new("SET", at_once), |bencher| {
            bencher.iter_custom(|payments| runtime.block_on(set(ledger, fresh(payments), at_once)));
        });
    }
    group.finish();
    let payments = 50_000;
    for at_once in [1, 16, 256] {
        let (settles, sets) = runtime.block_on(async {
            let numbers = fresh(payments);
            accept(ledger, hold, numbers.clone()).await;
            let settles = settle(ledger, numbers, at_once).await;
            (settles, set(ledger, fresh(payments), at_once).await)
        });
        let rate = |time: Duration| payments as f64 / time.as_secs_f64();
        let (settles, sets) = (rate(settles), rate(sets));
        let part = settles / sets;
        println!(
            "{at_once:>4} in flight: {settles:>7.0} settles/s, {sets:>7.0} SET/s, {part:.2} of it"
        );
    }
}

/// Microseconds of a settle and of a `SET` inside Redis, alternating.
async fn statistics(ledger: &mut Ledger, hold: &Hold, at_once: usize, payments: u64) {
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let numbers = fresh(payments);
        accept(ledger, hold, numbers.clone()).await;
        reset_stats(&mut ledger.raw).await;
        settle(ledger, numbers, at_once).await;
        // Those that are ready at the same time are one call.
        let settle = spent_micros(&mut ledger.raw).await["fcall"] / payments as f64;
        reset_stats(&mut ledger.raw).await;
        set(ledger, fresh(payments), at_once).await;
        let set = spent_micros(&mut ledger.raw).await["set"] / payments as f64;
        let times = settle / set;
        println!("commandstats: settle {settle:.2} µs, SET {set:.2} µs, {times:.1} ×");
        ratios.push(times);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "commandstats: {at_once} at once, a settle costs {:.1} × a SET (median of {ROUNDS})",
        ratios[ROUNDS / 2]
    );
}

fn main() {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let (mut ledger, hold) = runtime.block_on(async {
        let ledger = Ledger::start().await;
        let incarnation = Incarnation::new("front-1.9f86d081");
        let hold = ledger.store.enlist(&incarnation).await.expect("enlisted");
        (ledger, hold)
    });
    throughput(&mut criterion, &runtime, &ledger, &hold);
    for (at_once, payments) in STATISTICS {
        runtime.block_on(statistics(&mut ledger, &hold, at_once, payments));
    }
    criterion.final_summary();
}
