//! Processes beside the stack that one test starts for itself.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::stack::{Stack, eventually};

/// A process that ends with its test, however that ends.
pub(crate) struct OwnProcess(Child);

impl OwnProcess {
    /// Starts it. What it says goes to a log beside those of the stack.
    #[track_caller]
    pub(crate) fn spawn(mut command: Command, stack: &Stack, name: &str) -> Self {
        let logs = stack.dir.join("logs");
        fs::create_dir_all(&logs).expect("room for a folder");
        let mut options = OpenOptions::new();
        let log = options
            .create(true)
            .append(true)
            .open(logs.join(format!("{name}.log")))
            .expect("room for a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("it is open"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Self(child)
    }

    /// Starts it as [`Self::spawn`] does, and waits until it listens on this port.
    #[track_caller]
    pub(crate) fn start(command: Command, stack: &Stack, name: &str, port: u16) -> Self {
        let process = Self::spawn(command, stack, name);
        eventually(Duration::from_secs(10), name, || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        process
    }

    /// A HAProxy with a configuration of its own.
    #[track_caller]
    pub(crate) fn haproxy(stack: &Stack, name: &str, port: u16, configuration: &str) -> Self {
        fs::create_dir_all(&stack.dir).expect("room for a folder");
        let file = stack.dir.join(format!("{name}.cfg"));
        fs::write(&file, configuration).expect("room for a file");
        let mut command = Command::new(haproxy());
        command.arg("-db").arg("-f").arg(&file);
        Self::start(command, stack, name, port)
    }

    /// A simulated processor, from the programs that the stack runs. One that never answers
    /// has all that is sent to it at work.
    #[track_caller]
    pub(crate) fn simulator(stack: &Stack, name: &str, port: u16) -> Self {
        let mut command = Command::new(stack.dir.join("bin/feeway-simulator"));
        command.args(["--name", name, "--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--permits", "4000"]);
        Self::start(command, stack, &format!("simulator-{name}"), port)
    }
}

impl OwnProcess {
    /// For signals.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// A user's PATH often lacks where servers are installed.
fn haproxy() -> &'static str {
    let installed = "/usr/sbin/haproxy";
    if Path::new(installed).is_file() {
        installed
    } else {
        "haproxy"
    }
}
