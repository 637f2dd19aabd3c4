//! Brings a stack up: from nothing but this repository to a port that takes payments.

mod nginx;
mod options;
mod scrape_targets;
mod stack_plan;

use std::fs::OpenOptions;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub use self::options::{Engine, Fsync, Intake, LoadBalancer, UpOptions, word};
use feeway_machine::binaries::Binaries;
use feeway_machine::clock::Deadline;
use feeway_machine::ports;
use feeway_machine::programs::Servers;

use self::stack_plan::plan_stack;
use crate::containers::up::Image;
use crate::containers::{self, stack};
use crate::down;
use crate::logs::Tail;
use crate::plan::Plan;
use crate::record::{Phase, Record};
use crate::stack_dir::StackDir;
use crate::status;
use crate::supervisor::{START_TIMEOUT, STOP_TIMEOUT, SUPERVISOR};

/// The supervisor has its own bound for the start and then ends what it started; this is
/// for a supervisor that says nothing at all.
const SUPERVISOR_TIMEOUT: Duration = START_TIMEOUT.saturating_add(STOP_TIMEOUT);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Starts a stack, and stays with it until Ctrl-C unless it is to run on its own.
pub fn run(dir: &StackDir, options: &UpOptions) -> Result<()> {
    if options.engine == Engine::Docker {
        return containers::up::run(dir, options, Image::Build);
    }
    let binaries = || Binaries::build(options.profile, &dir.binaries());
    bring_up(dir, options, binaries, |_plan| Ok(()))
}

/// As [`run`], with what was built before: the programs in the stack's folder, or the image.
pub(crate) fn run_built(dir: &StackDir, options: &UpOptions) -> Result<()> {
    if options.engine == Engine::Docker {
        return containers::up::run(dir, options, Image::Built);
    }
    run_changed(dir, options, |_plan| Ok(()))
}

/// As [`run_built`], with a plan that is changed before anything starts.
pub(crate) fn run_changed(
    dir: &StackDir,
    options: &UpOptions,
    change: impl FnOnce(&mut Plan) -> Result<()>,
) -> Result<()> {
    bring_up(dir, options, || Binaries::built(&dir.binaries()), change)
}

fn bring_up(
    dir: &StackDir,
    options: &UpOptions,
    binaries: impl FnOnce() -> Result<Binaries>,
    change: impl FnOnce(&mut Plan) -> Result<()>,
) -> Result<()> {
    let lock = dir.lock()?;
    refuse_second_stack(dir)?;
    check_ports(options)?;
    let servers = Servers::find_or_install()?;
    if options.floor {
        bail!("the floor works only in containers: add --engine docker");
    }
    dir.create()?;
    let binaries = binaries()?;
    // Another process may have taken a port while we built.
    check_ports(options)?;
    let mut plan = plan_stack(dir, options, &servers, &binaries)?;
    change(&mut plan)?;
    plan.save(dir)?;
    dir.set_logs_aside()?;

    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    println!("Starting …");
    let log = Tail::at_end(dir.log(SUPERVISOR))?;
    let started = start_supervisor(dir)
        .and_then(|supervisor| follow_start(dir, supervisor, log, &mut signals));
    match started {
        Ok(Start::Up) => {}
        Ok(Start::Interrupted) => {
            println!("Stopping …");
            down::stop(dir)?;
            bail!("interrupted");
        }
        Err(error) => {
            down::stop(dir)?;
            return Err(error);
        }
    }
    drop(lock);
    print_stack(dir, &plan)?;
    if options.detach {
        return Ok(());
    }
    println!("\nCtrl-C stops the stack.");
    stay(dir, &mut signals)
}

enum Start {
    Up,
    Interrupted,
}

pub(crate) fn refuse_second_stack(dir: &StackDir) -> Result<()> {
    stack::refuse_second(dir)?;
    let Some(record) = Record::load(dir)? else {
        return Ok(());
    };
    let place = dir.path().display();
    if record.supervisor.is_alive() {
        bail!(
            "a stack already runs in {place} (supervisor {}): `cargo xtask down` stops it",
            record.supervisor.pid
        );
    }
    if !record.alive().is_empty() {
        bail!("parts of a stack in {place} still run: `cargo xtask down` stops them");
    }
    down::stop(dir)
}

pub(crate) fn check_ports(options: &UpOptions) -> Result<()> {
    ports::check_free(Ipv4Addr::UNSPECIFIED, options.port, "--port")?;
    if options.processors.is_empty() {
        for port in options.simulator_ports()? {
            ports::check_free(Ipv4Addr::LOCALHOST, port, "--simulator-port")?;
        }
    }
    Ok(())
}

fn start_supervisor(dir: &StackDir) -> Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.log(SUPERVISOR))?;
    Command::new(std::env::current_exe()?)
        .args([Path::new("supervise"), Path::new("--dir"), dir.path()])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the supervisor")
}

/// Shows what the supervisor says until the stack is up.
fn follow_start(
    dir: &StackDir,
    mut supervisor: Child,
    mut log: Tail,
    signals: &mut Signals,
) -> Result<Start> {
    let deadline = Deadline::after(SUPERVISOR_TIMEOUT);
    loop {
        if signals.pending().next().is_some() {
            return Ok(Start::Interrupted);
        }
        let ended = supervisor.try_wait()?;
        let record = Record::load(dir)?;
        let phase = record.as_ref().map(|record| &record.phase);
        if let Some(Phase::Failed(reason)) = phase {
            bail!("{reason}");
        }
        print_lines(&mut log)?;
        if phase == Some(&Phase::Up) {
            return Ok(Start::Up);
        }
        if let Some(status) = ended {
            bail!(
                "the supervisor ended ({status}); see {}",
                dir.log(SUPERVISOR).display()
            );
        }
        if deadline.passed() {
            bail!(
                "the stack did not start in time; see {}",
                dir.logs().display()
            );
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Who watches need not be told the time.
fn print_lines(log: &mut Tail) -> Result<()> {
    for line in log.new_lines()? {
        let said = line.split_once(' ').map_or(&*line, |(_time, said)| said);
        println!("  {said}");
    }
    Ok(())
}

fn print_stack(dir: &StackDir, plan: &Plan) -> Result<()> {
    println!();
    status::print(dir)?;
    println!();
    for (label, url) in &plan.urls {
        println!("{label:12} {url}");
    }
    println!("{:12} {}", "Logs", dir.logs().display());
    Ok(())
}

/// Shows what happens to the stack until it is interrupted, and then stops it.
fn stay(dir: &StackDir, signals: &mut Signals) -> Result<()> {
    let mut log = Tail::at_end(dir.log(SUPERVISOR))?;
    loop {
        print_lines(&mut log)?;
        if signals.pending().next().is_some() {
            println!("Stopping …");
            return down::stop(dir);
        }
        // `down` at another terminal ends the supervisor and removes its record.
        let runs = Record::load(dir)?.is_some_and(|record| record.supervisor.is_alive());
        if !runs {
            bail!("the stack was stopped by another command");
        }
        thread::sleep(LOOK_EVERY);
    }
}
