//! Where Prometheus finds the metrics of a stack's processes.

use std::path::Path;

use anyhow::{Context, Result};
use feeway_machine::files::write_whole;
use serde_json::json;

use crate::plan::ProcessPlan;

/// Writes `targets.json` beside the copy of `deploy/prometheus.yml` that reads it.
pub(super) fn write(folder: &Path, processes: &[ProcessPlan]) -> Result<()> {
    let targets: Vec<_> = processes
        .iter()
        .filter_map(|process| {
            let address = metrics_address(process)?;
            Some(json!({"targets": [address], "labels": {"process": process.name}}))
        })
        .collect();
    let text = serde_json::to_string_pretty(&targets)?;
    write_whole(&folder.join("targets.json"), &text).context("cannot write the scrape targets")
}

/// As the process itself is told.
fn metrics_address(process: &ProcessPlan) -> Option<&str> {
    let mut arguments = process.arguments.iter();
    if arguments.any(|argument| argument == "--admin-listen") {
        return arguments.next()?.strip_prefix("tcp:");
    }
    process.environment.get("FEEWAY_METRICS")?.as_deref()
}
