//! What one request costs in our own code: parse, validate, encode. Nanoseconds by Criterion,
//! and allocations by an allocator that counts.
//!
//! Counted is what Feeway does with the bytes of a body once hyper has them: the payment read
//! from JSON, the journal's command written as it goes to Redis, and the answer. Not counted
//! is what hyper, tokio and the Redis client do around it: heads, tasks and channels.

use criterion::{Criterion, Throughput};
use feeway_benches::intake_path::{Intake, answer};

/// What `docs/measuring.md` promises for each request.
const MAX_ALLOCATIONS: u64 = 2;

/// Requests that are counted, after one that grows the parser's buffers.
const COUNTED: u64 = 1_000;

/// Allocations and bytes for each of many calls, after a first one.
fn allocations(mut call: impl FnMut()) -> (u64, u64) {
    call();
    let info = allocation_counter::measure(|| (0..COUNTED).for_each(|_| call()));
    // Rounded up: an allocation now and then counts as one each time.
    (
        info.count_total.div_ceil(COUNTED),
        info.bytes_total.div_ceil(COUNTED),
    )
}

fn count() -> u64 {
    let mut intake = Intake::new();
    let payment = intake.parse();
    println!(
        "\n{:<28}{:>12}{:>8}",
        "of one request", "allocations", "bytes"
    );
    let row = |name: &str, (count, bytes): (u64, u64)| {
        println!("{name:<28}{count:>12}{bytes:>8}");
        count
    };
    row(
        "parse and validate",
        allocations(|| {
            intake.parse();
        }),
    );
    row(
        "encode for the journal",
        allocations(|| intake.encode(&payment)),
    );
    row("answer", allocations(answer));
    row("all of it", allocations(|| intake.whole()))
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("intake");
    group.throughput(Throughput::Elements(1));
    let mut intake = Intake::new();
    let payment = intake.parse();
    group.bench_function("parse and validate", |bencher| {
        bencher.iter(|| intake.parse());
    });
    group.bench_function("encode for the journal", |bencher| {
        bencher.iter(|| intake.encode(&payment));
    });
    group.bench_function("answer", |bencher| bencher.iter(answer));
    group.bench_function("all of it", |bencher| bencher.iter(|| intake.whole()));
    group.finish();
    criterion.final_summary();
    let count = count();
    assert!(
        count <= MAX_ALLOCATIONS,
        "{count} allocations a request, {MAX_ALLOCATIONS} are allowed"
    );
}
