//! Where Prometheus finds the metrics of a stack's processes.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::stack_dir::write_whole;

/// Writes `targets.json` beside the copy of `deploy/prometheus.yml` that reads it.
pub(super) fn write(folder: &Path, processes: &[(String, u16)]) -> Result<()> {
    let targets: Vec<_> = processes
        .iter()
        .map(|(process, port)| {
            json!({
                "targets": [format!("127.0.0.1:{port}")],
                "labels": {"process": process},
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&targets)?;
    write_whole(&folder.join("targets.json"), &text).context("cannot write the scrape targets")
}
