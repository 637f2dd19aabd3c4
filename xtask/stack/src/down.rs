use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::files::remove_if_there;
use feeway_machine::process_id::ProcessId;
use rustix::process::Signal;

use crate::containers::stack::{self, ContainerStack};
use crate::plan::Plan;
use crate::record::Record;
use crate::stack_dir::StackDir;
use crate::supervisor::STOP_TIMEOUT;

/// The supervisor gives each of the four stages its time, and then kills.
const SUPERVISOR_TIMEOUT: Duration = STOP_TIMEOUT.saturating_mul(4);

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Stops the stack, if one runs.
pub fn run(dir: &StackDir, wipe: bool) -> Result<()> {
    if !dir.path().exists() {
        println!("nothing runs in {}", dir.path().display());
        return Ok(());
    }
    let lock = dir.lock()?;
    let ran = Record::load(dir)?.is_some() || ContainerStack::load(dir)?.is_some();
    stop(dir)?;
    if ran {
        println!("stopped");
    } else {
        println!("nothing runs in {}", dir.path().display());
    }
    if wipe {
        stack::wipe(dir)?;
        for folder in [dir.redis_data(), dir.logs()] {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot wipe {}", folder.display()));
                }
                _ => {}
            }
        }
    }
    drop(lock);
    Ok(())
}

/// Stops every recorded process or container and removes the sockets and the record. Redis's
/// data and the logs stay.
pub(crate) fn stop(dir: &StackDir) -> Result<()> {
    if let Some(stack) = ContainerStack::load(dir)? {
        stack.stop(dir)?;
    }
    if let Some(record) = Record::load(dir)? {
        end(&[record.supervisor], SUPERVISOR_TIMEOUT)?;
    }
    // Whatever a supervisor left that was killed itself.
    if let Some(record) = Record::load(dir)? {
        end(&record.alive(), STOP_TIMEOUT)?;
    }
    if dir.plan().exists() {
        let folder = Plan::load(dir)?.socket_folder;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
            }
            _ => {}
        }
    }
    remove_if_there(&dir.plan())?;
    remove_if_there(&dir.record())?;
    Ok(())
}

/// Ends processes: asks them, waits, and kills those that still run.
pub fn end(processes: &[ProcessId], patience: Duration) -> Result<()> {
    for (signal, wait) in [(Signal::TERM, patience), (Signal::KILL, STOP_TIMEOUT)] {
        for process in processes {
            process.signal(signal)?;
            // A paused process gets the signal only once it goes on.
            process.signal(Signal::CONT)?;
        }
        let deadline = Deadline::after(wait);
        while !deadline.passed() {
            if !processes.iter().any(|process| process.is_alive()) {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
    }
    bail!("some processes did not end even when killed")
}
