use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use feeway_machine::clock;
use feeway_machine::files::remove_if_there;
use feeway_machine::process_id::ProcessId;
use feeway_machine::readiness::Address;

use crate::plan::ProcessPlan;
use crate::stack_dir::StackDir;

/// The pause before the first new start, doubled up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A process that ran for so long was well: its next end counts as the first.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// How often a process that is to stay down is looked at again.
const HELD_CHECK_EVERY: Duration = Duration::from_millis(100);

/// How often a process that is not ready yet is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What happened to a process, by its index in the plan.
#[derive(Debug)]
pub(crate) enum Event {
    Started {
        index: usize,
        id: ProcessId,
    },
    Ready {
        index: usize,
        after: Duration,
    },
    Ended {
        index: usize,
        how: String,
    },
    /// The stack is to stop; said twice, at once.
    Stop,
}

/// Says once, to every keeper, that nothing is to be started any more.
#[derive(Clone, Default)]
pub(crate) struct Stopping(Arc<(Mutex<bool>, Condvar)>);

impl Stopping {
    pub(crate) fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not longer than until it is set. Returns whether it is.
    fn wait(&self, at_most: Duration) -> bool {
        let set = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, _) = self
            .0
            .1
            .wait_timeout_while(set, at_most, |set| !*set)
            .unwrap_or_else(PoisonError::into_inner);
        *set
    }
}

/// Runs one process, and runs it again with growing pauses whenever it ends, until the
/// stack stops. To be called on a thread of its own.
pub(crate) fn keep(
    index: usize,
    plan: &ProcessPlan,
    dir: &StackDir,
    stopping: &Stopping,
    events: &Sender<Event>,
) {
    // A send fails only when the supervisor's loop is over, and then nobody needs to know.
    let tell = |event| events.send(event).unwrap_or(());
    let mut pause = FIRST_PAUSE;
    while !stopping.is_set() {
        if dir.is_held(&plan.name) {
            stopping.wait(HELD_CHECK_EVERY);
            continue;
        }
        let started = clock::now();
        let how = match start(plan, dir) {
            Ok((mut child, id)) => {
                tell(Event::Started { index, id });
                let how = await_ready(&mut child, plan, stopping, |after| {
                    tell(Event::Ready { index, after });
                });
                how.or_else(|| child.wait().map(|s| s.to_string()).ok())
                    .unwrap_or_else(|| "unknown status".to_owned())
            }
            Err(error) => format!("cannot start {}: {error}", plan.program.display()),
        };
        if started.elapsed() > WELL_AFTER {
            pause = FIRST_PAUSE;
        }
        tell(Event::Ended { index, how });
        if stopping.wait(pause) {
            return;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn start(plan: &ProcessPlan, dir: &StackDir) -> io::Result<(Child, ProcessId)> {
    // The socket of a process that was killed is still there and leads nowhere.
    if let Address::Unix(socket) = &plan.address {
        remove_if_there(socket)?;
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.log(&plan.name))?;
    let mut command = Command::new(&plan.program);
    for (name, value) in &plan.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command
        .args(&plan.arguments)
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A Ctrl-C at the terminal is the supervisor's business.
        .process_group(0)
        .spawn()?;
    match ProcessId::of(child.id()) {
        Ok(id) => Ok((child, id)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(io::Error::other(error))
        }
    }
}

/// Asks until the process is ready; returns how it ended if it did so first.
fn await_ready(
    child: &mut Child,
    plan: &ProcessPlan,
    stopping: &Stopping,
    ready: impl FnOnce(Duration),
) -> Option<String> {
    let started = clock::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status.to_string());
        }
        if plan.readiness.ask() {
            ready(started.elapsed());
            return None;
        }
        if stopping.wait(ASK_EVERY) {
            return None;
        }
    }
}
