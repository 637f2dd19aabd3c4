use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use feeway_machine::files::write_whole;
use feeway_machine::readiness::{Address, Readiness};
use serde::{Deserialize, Serialize};

use crate::stack_dir::StackDir;

/// Processes of a lower stage are ready before a higher one starts, and stop after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Redis and NATS.
    Servers,
    /// The simulated processors.
    Processors,
    /// Leaders and fronts.
    Gateway,
    /// HAProxy or nginx.
    Entrance,
}

/// What asks a process to finish what it has in hand and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopSignal {
    Terminate,
    /// HAProxy cuts its connections at SIGTERM and finishes them at SIGUSR1.
    User1,
    /// nginx does the same at SIGQUIT.
    Quit,
}

/// How to run one process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// What `status` and the logs call it.
    pub name: String,
    /// With what it starts.
    pub stage: Stage,
    /// What is run.
    pub program: PathBuf,
    /// Its command line.
    pub arguments: Vec<String>,
    /// Set on top of what is inherited, or removed from it.
    pub environment: BTreeMap<String, Option<String>>,
    /// Where it listens.
    pub address: Address,
    pub(crate) readiness: Readiness,
    pub(crate) stop_signal: StopSignal,
}

/// How to run a stack: all that its supervisor needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Where the sockets are.
    pub(crate) socket_folder: PathBuf,
    /// In the order in which they start.
    pub processes: Vec<ProcessPlan>,
    /// What a person may want to open: label and URL.
    pub(crate) urls: Vec<(String, String)>,
}

impl Plan {
    pub(crate) fn load(dir: &StackDir) -> Result<Self> {
        let path = dir.plan();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    pub(crate) fn save(&self, dir: &StackDir) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&dir.plan(), &text).context("cannot write the plan")
    }
}
