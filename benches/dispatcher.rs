//! What it costs to deal a payment to a lane, and how long it waits there.
//!
//! The cost is measured in real time. The waiting is not a matter of the machine but of
//! queueing, so it runs on tokio's paused clock and comes out the same everywhere.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feeway_benches::designs::{DESIGNS, Run, Service, run};
use tokio::runtime::{Builder, Runtime};

const LANES: [usize; 4] = [1, 4, 16, 64];
const PAYMENTS: usize = 4_000;
/// The product's lanes: many attempts in flight.
const MANY: usize = 512;

fn none(_: usize, _: usize) -> Duration {
    Duration::ZERO
}

fn fixed(_: usize, _: usize) -> Duration {
    Duration::from_millis(1)
}

fn heavy_tailed(number: usize, _: usize) -> Duration {
    // One in a hundred, drawn by the number: several may come close together, as they do
    // when they are independent. All designs get the same ones.
    let slow = fastrand::Rng::with_seed(number as u64).u8(..100) == 0;
    Duration::from_millis(if slow { 100 } else { 1 })
}

fn one_stuck(number: usize, lane: usize) -> Duration {
    Duration::from_millis(if lane == 0 && number > 100 { 5_000 } else { 1 })
}

/// Each with its mean in microseconds.
const SERVICES: [(&str, Service, u64); 3] = [
    ("fixed 1 ms", fixed, 1_000),
    ("1 % at 100 ms", heavy_tailed, 1_990),
    ("one lane stuck", one_stuck, 1_000),
];

fn runtime(paused: bool) -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(paused)
        .build()
        .expect("a runtime starts")
}

fn cost(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    group
        .throughput(Throughput::Elements(PAYMENTS as u64))
        .sample_size(20);
    for design in DESIGNS {
        for lanes in LANES {
            let id = BenchmarkId::new(format!("{design:?}"), lanes);
            group.bench_function(id, |bencher| {
                let runtime = runtime(false);
                let payments = PAYMENTS;
                let gap = Duration::ZERO;
                let service: Service = none;
                let all = Run {
                    design,
                    lanes,
                    in_flight: MANY,
                    service,
                    payments,
                    gap,
                };
                bencher.iter(|| black_box(runtime.block_on(run(all))));
            });
        }
    }
    group.finish();
}

/// Waiting times at 70 % of what lanes that wait for each answer could do. They are printed:
/// on a paused clock there is nothing to sample.
fn waiting(_: &mut Criterion) {
    println!("\nwaiting for a lane, in ms         in flight 1            in flight {MANY}");
    println!(
        "{:<16}{:>6}    {:>8}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "service", "lanes", "p50", "p99", "max", "p50", "p99", "max"
    );
    for (name, service, mean_us) in SERVICES {
        for lanes in [4, 16, 64] {
            for design in DESIGNS {
                let gap = Duration::from_nanos(mean_us * 10_000 / 7 / lanes as u64);
                let figures = [1, MANY].map(|in_flight| {
                    let all = Run {
                        design,
                        lanes,
                        in_flight,
                        service,
                        payments: PAYMENTS,
                        gap,
                    };
                    let mut waits = runtime(true).block_on(run(all));
                    waits.sort_unstable();
                    [waits.len() / 2, waits.len() * 99 / 100, waits.len() - 1]
                        .map(|place| waits[place].as_secs_f64() * 1e3)
                });
                let [one, many] = figures;
                println!(
                    "{name:<16}{lanes:>6}    {:>8.1}{:>9.1}{:>9.1}{:>9.1}{:>9.1}{:>9.1}  {design:?}",
                    one[0], one[1], one[2], many[0], many[1], many[2]
                );
            }
        }
    }
}

criterion_group!(benches, cost, waiting);
criterion_main!(benches);
