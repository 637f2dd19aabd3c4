use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::docker::Engine;
use feeway_machine::process_id::ProcessId;

use crate::containers::stack::ContainerStack;
use crate::down;
use crate::record::{ProcessRecord, Record};
use crate::stack_dir::StackDir;
use crate::supervisor::{START_TIMEOUT, STOP_TIMEOUT};

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Ends one process and waits until the supervisor has it ready again.
pub fn run(dir: &StackDir, name: &str) -> Result<()> {
    if let Some(stack) = ContainerStack::load(dir)? {
        return restart_container(&stack, name);
    }
    let record = load(dir)?;
    let old = process(&record, name)?.id.filter(|id| id.is_alive());
    dir.release(name)?;
    if let Some(id) = old {
        println!("{name}: stopping {}", id.pid);
        down::end(&[id], STOP_TIMEOUT)?;
    }
    await_process(dir, name, old)
}

/// Waits until a process is ready that is another one than the old one.
pub(crate) fn await_process(dir: &StackDir, name: &str, old: Option<ProcessId>) -> Result<()> {
    let deadline = Deadline::after(START_TIMEOUT);
    while !deadline.passed() {
        let record = Record::load(dir)?.context("the stack was stopped in the meantime")?;
        let now = process(&record, name)?;
        if let (Some(id), Some(millis)) = (now.id, now.ready_after_ms)
            && Some(id) != old
        {
            println!("{name}: {} is ready ({millis} ms)", id.pid);
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    bail!(
        "{name} is not ready after {} s; see {}",
        START_TIMEOUT.as_secs(),
        dir.log(name).display()
    )
}

fn restart_container(stack: &ContainerStack, name: &str) -> Result<()> {
    let engine = Engine::find()?;
    println!("{name}: restarting");
    let timeout = format!("--time={}", STOP_TIMEOUT.as_secs());
    stack
        .container(&engine, name)?
        .order(&["restart", &timeout])?;
    await_container(stack, &engine, name)
}

/// Waits until a container is ready.
pub(crate) fn await_container(stack: &ContainerStack, engine: &Engine, name: &str) -> Result<()> {
    let deadline = Deadline::after(START_TIMEOUT);
    while !deadline.passed() {
        if stack.container(engine, name)?.is_ready() {
            println!("{name}: ready");
            return Ok(());
        }
        thread::sleep(LOOK_EVERY);
    }
    bail!("{name} is not ready after {} s", START_TIMEOUT.as_secs())
}

/// What a supervisor that lives knows of this stack.
pub(crate) fn load(dir: &StackDir) -> Result<Record> {
    let Some(record) = Record::load(dir)? else {
        bail!("nothing runs in {}", dir.path().display());
    };
    if !record.supervisor.is_alive() {
        bail!(
            "the supervisor is not running: start afresh with `cargo xtask down` and `cargo xtask up`"
        );
    }
    Ok(record)
}

/// The process of this name.
pub(crate) fn process<'a>(record: &'a Record, name: &str) -> Result<&'a ProcessRecord> {
    let named = record.processes.iter().find(|process| process.name == name);
    named.with_context(|| {
        let names: Vec<&str> = record.processes.iter().map(|p| p.name.as_str()).collect();
        format!("there is no {name}; there are {}", names.join(", "))
    })
}
