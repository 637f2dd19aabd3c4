use anyhow::{Context, Result};
use feeway_machine::files::{read_if_there, write_whole};
use feeway_machine::process_id::ProcessId;
use serde::{Deserialize, Serialize};

use crate::stack_dir::StackDir;

/// What a stack's supervisor knows, written down at each change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) supervisor: ProcessId,
    pub(crate) phase: Phase,
    /// In the order of the plan.
    pub(crate) processes: Vec<ProcessRecord>,
}

/// Where the life of a stack stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Starting,
    /// Every process has been ready.
    Up,
    Stopping,
    /// It did not come up, and why; nothing of it runs any more.
    Failed(String),
}

/// One process of a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProcessRecord {
    pub(crate) name: String,
    /// Nothing while it does not run.
    pub(crate) id: Option<ProcessId>,
    /// Seconds since 1970.
    pub(crate) started_at: u64,
    /// How long it took from its start until it was ready for work; nothing before.
    pub(crate) ready_after_ms: Option<u64>,
    /// How often it was started again.
    pub(crate) restarts: u32,
}

impl Record {
    /// The record of the stack in this folder, if one was started there and not stopped.
    pub(crate) fn load(dir: &StackDir) -> Result<Option<Self>> {
        read_if_there(&dir.record())
    }

    pub(crate) fn save(&self, dir: &StackDir) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&dir.record(), &text).context("cannot write the run state")
    }

    /// The processes that run, the supervisor not among them.
    pub(crate) fn alive(&self) -> Vec<ProcessId> {
        self.processes
            .iter()
            .filter_map(|process| process.id)
            .filter(|id| id.is_alive())
            .collect()
    }
}
