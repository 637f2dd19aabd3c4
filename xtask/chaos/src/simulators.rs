//! The two processors of a run. They stand for the world outside: they are not of the stack
//! that is broken, and their books are what it is judged by.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::http_client::Answer;
use feeway_machine::process_id::ProcessId;
use feeway_stack::down;
use feeway_stack::simulators::{Processor, Switch};

/// The processors' names, cheapest first, with their fees.
pub(super) const PROCESSORS: [(&str, &str); 2] = [("default", "0.05"), ("fallback", "0.15")];

const START_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Every mishap that a simulator knows, and the name of its setting.
pub(super) const MISHAPS: [(&str, Option<&str>); 6] = [
    ("resetBeforeInsert", None),
    ("resetAfterInsert", None),
    ("hangAfterInsert", Some("hangAfterInsertMs")),
    ("lateInsert", Some("lateInsertMs")),
    ("errorAfterInsert", None),
    ("refuse", None),
];

/// A running simulator. It ends with this value.
pub(super) struct Simulator {
    pub(super) name: &'static str,
    pub(super) fee: &'static str,
    pub(super) address: SocketAddr,
    /// Its administration, on an address that chaos does not touch.
    pub(super) administration: Processor,
    process: Child,
    id: ProcessId,
}

impl Simulator {
    /// Starts a simulator with empty books and waits until it serves.
    pub(super) fn start(
        program: &Path,
        logs: &Path,
        (name, fee): (&'static str, &'static str),
        [port, admin_port]: [u16; 2],
    ) -> Result<Self> {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (address, administration) = (loopback(port), loopback(admin_port));
        fs::create_dir_all(logs)?;
        let log = File::create(logs.join(format!("simulator-{name}.log")))?;
        let mut process = Command::new(program)
            .args(["--name", name, "--fee", fee])
            .args(["--listen", &address.to_string()])
            .args(["--admin-listen", &administration.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let id = match ProcessId::of(process.id()) {
            Ok(id) => id,
            Err(error) => {
                process.kill()?;
                process.wait()?;
                return Err(error);
            }
        };
        let administration = Processor::new(name, administration);
        let simulator = Self {
            name,
            fee,
            address,
            administration,
            process,
            id,
        };
        let deadline = Deadline::after(START_TIMEOUT);
        while simulator.ask("GET", "/admin/stats", "").is_err() {
            if deadline.passed() || !id.is_alive() {
                bail!("the simulator {name} did not start; see {}", logs.display());
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(simulator)
    }

    /// As the stack is told of it.
    pub(super) fn option(&self) -> String {
        format!("{}=http://{},fee={}", self.name, self.address, self.fee)
    }

    pub(super) fn set(&self, switch: &Switch) -> Result<()> {
        self.administration.switch(switch)
    }

    /// Turns every switch off.
    pub(super) fn heal(&self) -> Result<()> {
        self.set(&Switch::DelayMs(0))?;
        self.set(&Switch::Failing(false))?;
        for (name, _) in MISHAPS {
            self.set(&Switch::Mishap {
                name,
                per_mille: 0,
                extra: None,
            })?;
        }
        Ok(())
    }

    /// Asks its administration.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.administration.ask(method, path, body)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let ended = down::end(&[self.id], STOP_TIMEOUT)
            .and_then(|()| self.process.wait().context("cannot reap it"));
        if let Err(error) = ended {
            eprintln!("simulator {} did not end: {error:#}", self.name);
        }
    }
}
