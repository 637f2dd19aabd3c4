//! What a run came to, for programs that read it.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::outcome::{Figures, Outcome};

/// Writes `figures.json` into the folder of a run.
pub(super) fn write(folder: &Path, outcome: &Outcome, figures: &Figures) -> Result<()> {
    let json = json!({
        // Before the bonus, in whole units of money.
        "profit": figures.profit.about(),
        "lost": figures.lost,
        // Requests that failed.
        "failed": outcome.counted.failed,
        "auditsDiffering": figures.inconsistencies,
        // Of all payments that were asked for.
        "onDefault": figures.on_default.about(),
        // Nothing lost, twice, unasked for, refused or inconsistent.
        "sound": outcome.is_sound(figures),
    });
    fs::write(folder.join("figures.json"), format!("{json:#}\n"))?;
    Ok(())
}
