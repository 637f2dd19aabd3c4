//! Lets hostile clients loose on a stack, through HAProxy and straight at a front, and
//! compares what normal clients feel with and without them.
//!
//! ```text
//! calm, attack, calm, attack … ──► normal clients' p99 of each ──► ratio of the medians
//!                                  resident memory before and after
//! ```

mod attack;
mod customers;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use feeway_machine::binaries::{Binaries, Profile};
use feeway_machine::clock;
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_machine::ports::visible_ports;
use feeway_machine::readiness::Address;
use feeway_stack::private_stack::{PrivateStack, check_unused};
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::word;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use self::attack::Attack;
use self::customers::{Felt, measure};

/// Between two phases: connections that were given up are noticed and closed.
const BREATH: Duration = Duration::from_millis(300);

/// After the last attack: longer than any time-out of 5 s, and than the allocator keeps
/// what is free.
const RECOVERY: Duration = Duration::from_secs(7);

/// What a process may keep of all attacks together. Its buffers for a few thousand clients
/// come and go; what stays are slabs that they left half full.
const GROWTH_MAX_KIB: u64 = 32 * 1024;

/// For how long the attack lasts, and on which stack.
#[derive(Args, Debug)]
pub struct HostileOptions {
    /// How many rounds of calm and attack to run
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,

    /// How long to measure each calm and each attack, in seconds
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,

    /// Payments a second of normal clients
    #[arg(long, default_value = "200", value_parser = clap::value_parser!(u64).range(10..=5000))]
    rate: u64,

    /// How much higher the p99 of normal clients may be under attack, in percent
    #[arg(long, default_value = "20")]
    max_slowdown: u64,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,

    /// An empty folder for the stack, which is kept [default: in target/hostile, deleted in the
    /// end]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Runs it. Returns whether normal clients were served, were not slowed down, and no
/// process grew.
pub fn run(options: &HostileOptions) -> Result<bool> {
    let interrupt = Interrupt::catch()?;
    allow_many_files()?;
    let folder = match &options.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => repository().join(format!("target/hostile/{}", std::process::id())),
    };
    check_unused(&folder)?;
    let stack = start(options, StackDir::new(Some(&folder))?)?;
    let doors = [stack.address("haproxy")?, stack.address("front-1")?];

    // What is only made once is made before it counts.
    measure(&doors[0], options.rate, Duration::from_secs(1))?;
    let before = memory(&stack)?;
    let (calm, attacked, tally) = take_turns(options, &doors, &interrupt)?;
    thread::sleep(RECOVERY);
    let after = memory(&stack)?;

    println!("\nATTACK\n{tally}");
    let slowed = print_latencies(&calm, &attacked, options.max_slowdown)?;
    let grew = print_memory(&before, &after);
    let failed: u64 = calm.iter().chain(&attacked).map(|felt| felt.failed).sum();
    println!("\nnormal requests that failed: {failed}");
    let passed = !slowed && !grew && failed == 0;
    println!("\n{}", if passed { "passed" } else { "FAILED" });
    drop(stack);
    if options.dir.is_none() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(passed)
}

/// Both ends of thousands of connections: the usual soft limit is 1024.
fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

fn start(options: &HostileOptions, dir: StackDir) -> Result<PrivateStack> {
    dir.create()?;
    Binaries::build(options.profile, &dir.binaries())?;
    let mut free = visible_ports(8)?;
    free.sort_unstable();
    // The simulators take two ports in a row.
    let pair = free.windows(2).find(|pair| pair[1] == pair[0] + 1);
    let simulators = pair.context("no two free ports in a row")?[0];
    let port = free
        .iter()
        .find(|port| !(simulators..=simulators + 1).contains(*port));
    let mut up = vec![
        "--port".to_owned(),
        port.context("no free port")?.to_string(),
    ];
    up.extend(["--simulator-port".to_owned(), simulators.to_string()]);
    up.extend(["--profile".to_owned(), word(options.profile)]);
    PrivateStack::start(dir, &up)
}

type Phases = (Vec<Felt>, Vec<Felt>, attack::Tally);

fn take_turns(
    options: &HostileOptions,
    doors: &[Address; 2],
    interrupt: &Interrupt,
) -> Result<Phases> {
    let length = Duration::from_secs(options.seconds);
    let (mut calm, mut attacked) = (Vec::new(), Vec::new());
    let mut tally = attack::Tally::default();
    for round in 1..=options.rounds {
        interrupt.check()?;
        let before = measure(&doors[0], options.rate, length)?;
        // Thousands of connects at once are over before the measurement; the 2 000 clients
        // that stay are not.
        let attack = Attack::begin(doors, clock::unix_seconds().wrapping_add(round))?;
        thread::sleep(BREATH);
        let under = measure(&doors[0], options.rate, length)?;
        tally += attack.end()?;
        thread::sleep(BREATH);
        println!(
            "round {round}: p99 {:.2} ms calm, {:.2} ms under attack",
            before.p99_ms(),
            under.p99_ms()
        );
        calm.push(before);
        attacked.push(under);
    }
    Ok((calm, attacked, tally))
}

fn print_latencies(calm: &[Felt], attacked: &[Felt], max_slowdown: u64) -> Result<bool> {
    let [calm, attacked] = [calm, attacked].map(|phases| {
        let mut values: Vec<f64> = phases.iter().map(Felt::p99_ms).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    });
    let (calm, attacked) = calm.zip(attacked).context("nothing was measured")?;
    let ratio = attacked / calm;
    println!("\nNORMAL CLIENTS, medians of the rounds' p99");
    println!("  calm           {calm:>8.2} ms");
    println!("  under attack   {attacked:>8.2} ms");
    println!("  ratio          {ratio:>8.2}");
    Ok(ratio > 1.0 + max_slowdown as f64 / 100.0)
}

/// Name and KiB of what clients reach.
fn memory(stack: &PrivateStack) -> Result<Vec<(String, u64)>> {
    let mut names = stack.fronts();
    names.push("haproxy".to_owned());
    let resident = |name: String| {
        let process = stack
            .process(&name)?
            .with_context(|| format!("{name} has ended"))?;
        let kib = process.resident_kib().context("cannot read its memory")?;
        Ok((name, kib))
    };
    names.into_iter().map(resident).collect()
}

fn print_memory(before: &[(String, u64)], after: &[(String, u64)]) -> bool {
    println!("\nRESIDENT MEMORY");
    let mut grew = false;
    for ((name, before), (_, after)) in before.iter().zip(after) {
        println!("  {name:10} {before:>8} KiB before, {after:>8} KiB after");
        grew |= after.saturating_sub(*before) > GROWTH_MAX_KIB;
    }
    grew
}
