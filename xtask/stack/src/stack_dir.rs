use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use feeway_machine::clock;
use feeway_machine::files::{remove_if_there, repository};

/// The longest path of a Unix socket is 107 bytes. HAProxy binds to a longer name first and
/// renames, so the folder of the sockets leaves it 40.
const MAX_SOCKET_FOLDER_BYTES: usize = 67;

/// The folder of one stack: what runs, its logs, its configuration and Redis's data.
#[derive(Clone, Debug)]
pub struct StackDir(PathBuf);

impl StackDir {
    /// The folder that was asked for, by default `target/stack`. It need not exist.
    pub fn new(asked: Option<&Path>) -> Result<Self> {
        match asked {
            Some(path) => Ok(Self(std::path::absolute(path)?)),
            None => Ok(Self(repository().join("target/stack"))),
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of the logs.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// The log of one process.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.0.join("config")
    }

    /// The programs that the stack runs.
    pub fn binaries(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// Redis's data.
    pub fn redis_data(&self) -> PathBuf {
        self.0.join("redis")
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// What is known of a stack in containers.
    pub(crate) fn containers(&self) -> PathBuf {
        self.0.join("containers.json")
    }

    /// Names a process that is to stay down for as long as this is there.
    fn held(&self, name: &str) -> PathBuf {
        self.0.join("held").join(name)
    }

    /// Has the supervisor not start a process again.
    pub(crate) fn hold(&self, name: &str) -> Result<()> {
        fs::create_dir_all(self.0.join("held"))?;
        File::create(self.held(name)).with_context(|| format!("cannot hold {name}"))?;
        Ok(())
    }

    /// Has the supervisor start a process again whenever it is down.
    pub(crate) fn release(&self, name: &str) -> Result<()> {
        remove_if_there(&self.held(name)).with_context(|| format!("cannot release {name}"))
    }

    pub(crate) fn is_held(&self, name: &str) -> bool {
        self.held(name).exists()
    }

    /// Makes every folder but the one of the sockets.
    pub fn create(&self) -> Result<()> {
        for folder in [
            self.logs(),
            self.configuration(),
            self.binaries(),
            self.redis_data(),
        ] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(())
    }

    /// Keeps the logs of the last run apart, so that what a log says is of this one.
    pub(crate) fn set_logs_aside(&self) -> Result<()> {
        for entry in fs::read_dir(self.logs())? {
            let log = entry?.path();
            if log.extension().is_some_and(|extension| extension == "log") {
                fs::rename(&log, log.with_extension("log.1"))?;
            }
        }
        Ok(())
    }

    /// A new folder for the sockets that only this user may enter: in the stack's folder, or
    /// in the system's temporary one when the stack's has too long a path.
    pub(crate) fn create_socket_folder(&self) -> Result<PathBuf> {
        let mut folder = self.0.join("run");
        if folder.as_os_str().len() > MAX_SOCKET_FOLDER_BYTES {
            let unique = format!("feeway-{}-{}", std::process::id(), clock::unix_seconds());
            folder = std::env::temp_dir().join(unique);
        } else if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        // Fails if somebody else made it first.
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// Keeps every other `up` and `down` out of this stack for as long as the file is held.
    pub(crate) fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.0).with_context(|| format!("cannot make {}", self.0.display()))?;
        let lock = File::create(self.0.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(TryLockError::WouldBlock) => bail!(
                "another `cargo xtask` is starting the stack in {} just now",
                self.0.display()
            ),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, beside_the_stack: bool) {
        let path = std::env::temp_dir().join(format!("feeway-{}-{name}", std::process::id()));
        let dir = StackDir::new(Some(&path)).unwrap();
        dir.create().unwrap();
        let sockets = dir.create_socket_folder().unwrap();
        assert_eq!(sockets.starts_with(&path), beside_the_stack);
        assert!(sockets.as_os_str().len() <= MAX_SOCKET_FOLDER_BYTES);
        fs::remove_dir_all(&sockets).unwrap();
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn sockets_move_to_the_temporary_folder_when_their_paths_would_be_too_long() {
        check("short", true);
        check(&"long".repeat(30), false);
    }

    #[test]
    fn only_one_at_a_time_holds_the_lock() {
        let path = std::env::temp_dir().join(format!("feeway-{}-lock", std::process::id()));
        let dir = StackDir::new(Some(&path)).unwrap();
        let held = dir.lock().unwrap();
        assert!(dir.lock().is_err());
        drop(held);
        dir.lock().unwrap();
        fs::remove_dir_all(&path).unwrap();
    }
}
