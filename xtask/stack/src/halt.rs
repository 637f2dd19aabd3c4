//! Stops some processes of a stack while the others run on, and starts them again.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::docker::{Container, Engine};

use crate::containers::stack::ContainerStack;
use crate::down;
use crate::record::Record;
use crate::restart::{await_container, await_process, load, process};
use crate::stack_dir::StackDir;
use crate::supervisor::STOP_TIMEOUT;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The supervisor may have been about to start the process when it was told not to; it
/// notes what it started sooner than this.
const GONE_FOR: Duration = Duration::from_millis(500);

/// Ends processes and has the supervisor leave them so.
pub fn stop(dir: &StackDir, names: &[String]) -> Result<()> {
    if let Some(stack) = ContainerStack::load(dir)? {
        let engine = Engine::find()?;
        let timeout = format!("--time={}", STOP_TIMEOUT.as_secs());
        for container in containers(&stack, &engine, names)? {
            container.order(&["stop", &timeout])?;
            let name = &container.service;
            println!("{name}: stopped; `cargo xtask start {name}` starts it again");
        }
        return Ok(());
    }
    check(&load(dir)?, names)?;
    for name in names {
        dir.hold(name)?;
        end(dir, name)?;
        println!("{name}: stopped; `cargo xtask start {name}` starts it again");
    }
    Ok(())
}

/// Starts processes that were stopped, and waits until they are ready.
pub fn start(dir: &StackDir, names: &[String]) -> Result<()> {
    if let Some(stack) = ContainerStack::load(dir)? {
        let engine = Engine::find()?;
        for container in containers(&stack, &engine, names)? {
            container.order(&["start"])?;
        }
        return names
            .iter()
            .try_for_each(|name| await_container(&stack, &engine, name));
    }
    check(&load(dir)?, names)?;
    for name in names {
        dir.release(name)?;
    }
    names
        .iter()
        .try_for_each(|name| await_process(dir, name, None))
}

/// A slip in one name leaves the others alone too.
fn check(record: &Record, names: &[String]) -> Result<()> {
    for name in names {
        process(record, name)?;
    }
    Ok(())
}

/// As [`check`], of containers.
fn containers(stack: &ContainerStack, engine: &Engine, names: &[String]) -> Result<Vec<Container>> {
    let container = |name: &String| stack.container(engine, name);
    names.iter().map(container).collect()
}

/// Ends a process, also one that is started meanwhile, and returns once it stays away.
fn end(dir: &StackDir, name: &str) -> Result<()> {
    let deadline = Deadline::after(STOP_TIMEOUT * 2);
    let mut gone = Deadline::after(GONE_FOR);
    while !gone.passed() {
        if deadline.passed() {
            bail!("{name} keeps being restarted");
        }
        let record = load(dir)?;
        if let Some(id) = process(&record, name)?.id.filter(|id| id.is_alive()) {
            down::end(&[id], STOP_TIMEOUT)?;
            gone = Deadline::after(GONE_FOR);
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
