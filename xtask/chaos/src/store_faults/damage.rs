//! The rough ways to treat a Redis.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::programs;
use feeway_machine::readiness::Address;
use feeway_stack::plan::Plan;
use feeway_stack::private_stack::PrivateStack;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

const LOOK_EVERY: Duration = Duration::from_millis(20);
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// Runs a program that gets an error and not a signal when a file may not grow.
const LIMITABLE: &str = r#"trap "" XFSZ; exec "$0" "$@""#;

/// Sees to it that the disk of a stack's Redis can be made to refuse, and that its files can be
/// copied at any moment.
pub(super) fn prepare(plan: &mut Plan) -> Result<()> {
    let mut processes = plan.processes.iter_mut();
    let redis = processes.find(|process| process.name == "redis");
    let redis = redis.context("a stack has a redis")?;
    let program = std::mem::replace(&mut redis.program, programs::find("sh").context("sh")?);
    let line = ["-c", LIMITABLE].map(str::to_owned);
    let mut arguments = Vec::from(line);
    arguments.push(program.display().to_string());
    arguments.append(&mut redis.arguments);
    // A rewrite replaces the files, and a copy would be of some of either.
    arguments.extend(["--auto-aof-rewrite-percentage", "0"].map(str::to_owned));
    redis.arguments = arguments;
    Ok(())
}

/// The Redis of a stack.
pub(super) struct Store<'a> {
    stack: &'a PrivateStack,
    socket: PathBuf,
    client: PathBuf,
    files: PathBuf,
}

impl<'a> Store<'a> {
    pub(super) fn of(stack: &'a PrivateStack) -> Result<Self> {
        let Address::Unix(socket) = stack.address("redis")? else {
            bail!("Redis does not listen on a socket");
        };
        let mut store = Self {
            stack,
            socket,
            client: programs::find("redis-cli").context("redis-cli is missing")?,
            files: PathBuf::new(),
        };
        let said = store.ask(&["CONFIG", "GET", "dir"])?;
        store.files = said.lines().nth(1).context("Redis has a folder")?.into();
        Ok(store)
    }

    /// Gives an order that must be carried out.
    pub(super) fn order(&self, order: &[&str]) -> Result<()> {
        let said = self.ask(order)?;
        if said.trim() != "OK" {
            bail!("Redis says {said:?} to {}", order.join(" "));
        }
        Ok(())
    }

    pub(super) fn memory_limit(&self) -> Result<String> {
        let said = self.ask(&["CONFIG", "GET", "maxmemory"])?;
        let limit = said.lines().nth(1).context("Redis has a limit")?;
        Ok(limit.to_owned())
    }

    fn ask(&self, order: &[&str]) -> Result<String> {
        let mut client = Command::new(&self.client);
        let output = client.arg("-s").arg(&self.socket).args(order).output();
        let output = output.with_context(|| self.client.display().to_string())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Copies its files as they are.
    pub(super) fn copy(&self, to: &Path) -> Result<()> {
        copy_folder(&self.files, to)
    }

    /// Kills it, and starts it with other files, or none.
    pub(super) fn replace(&self, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.stack.pause_supervisor()?;
        let killed = self.stack.signal("redis", Signal::KILL)?;
        let deadline = Deadline::after(GONE_WITHIN);
        while killed.is_some_and(|id| id.is_alive()) {
            if deadline.passed() {
                bail!("Redis does not end");
            }
            thread::sleep(LOOK_EVERY);
        }
        fs::remove_dir_all(&self.files)?;
        fs::create_dir(&self.files)?;
        fill(&self.files)?;
        self.stack.resume_supervisor()
    }

    /// Its files may not grow, as on a full disk, or may again.
    pub(super) fn set_disk_full(&self, full: bool) -> Result<()> {
        let process = self.stack.process("redis")?.context("redis runs")?;
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: full.then_some(1),
            maximum: None,
        };
        prlimit(
            Some(pid.context("a process number")?),
            Resource::Fsize,
            limit,
        )
        .context("cannot limit the file size of Redis")?;
        Ok(())
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy_folder(&file.path(), &target)?;
        } else {
            fs::copy(file.path(), target)?;
        }
    }
    Ok(())
}
