use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Installs the packages it gets as arguments; needs root.
const INSTALL_SCRIPT: &str = include_str!("install.sh");

/// Where servers are installed, though a user's PATH often lacks it.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The servers that a stack needs and does not build: program and Debian package.
const SERVERS: [(&str, &str); 3] = [
    ("haproxy", "haproxy"),
    ("redis-server", "redis-server"),
    ("nats-server", "nats-server"),
];

/// Where the servers are.
pub struct Servers {
    /// `haproxy`.
    pub haproxy: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `nats-server`.
    pub nats: PathBuf,
}

impl Servers {
    /// Finds the servers, and first installs the missing ones when it may.
    pub fn find_or_install() -> Result<Self> {
        let missing: Vec<&str> = SERVERS
            .iter()
            .filter(|(program, _)| find(program).is_none())
            .map(|(_, package)| *package)
            .collect();
        if !missing.is_empty() {
            install(&missing)?;
        }
        let server = |program: &str| {
            find(program)
                .with_context(|| format!("{program} is still missing after it was installed"))
        };
        Ok(Self {
            haproxy: server("haproxy")?,
            redis: server("redis-server")?,
            nats: server("nats-server")?,
        })
    }
}

/// Finds a program of the Debian package of its name, and first installs it when it may.
pub fn find_or_install(program: &str) -> Result<PathBuf> {
    if find(program).is_none() {
        install(&[program])?;
    }
    find(program).with_context(|| format!("{program} is still missing after it was installed"))
}

/// Where a program is, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// The library that gives a process another clock. It comes with the package of its name.
pub fn faketime() -> Result<PathBuf> {
    find_or_install("faketime")?;
    let folders = fs::read_dir("/usr/lib").context("/usr/lib")?;
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketime.so.1")))
        .find(|library| library.is_file())
        .context("the package faketime has no libfaketime.so.1")
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if find("apt-get").is_none() {
        bail!("{list} missing: install them with your system's package manager and try again");
    }
    let by_root = rustix::process::geteuid().is_root();
    if !by_root && !sudo_needs_no_password() {
        bail!("{list} missing: run `sudo apt-get install {list}` and try again");
    }
    println!("Installing {list} …");
    let mut command = if by_root {
        Command::new("sh")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    };
    let status = command
        .args(["-c", INSTALL_SCRIPT, "install"])
        .args(packages)
        .stdin(Stdio::null())
        .status()
        .context("cannot run the installation")?;
    if !status.success() {
        bail!("installing {list} failed ({status}): run `apt-get install {list}` and try again");
    }
    Ok(())
}

fn sudo_needs_no_password() -> bool {
    Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
