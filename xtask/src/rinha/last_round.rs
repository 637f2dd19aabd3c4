//! The contest's last round for somebody who compares builds.

use std::path::Path;

use anyhow::Result;
use clap::Parser;

use super::k6::K6;
use super::scenario::Scenario;
use super::{RinhaOptions, contest, discard_data};
use crate::binaries::Binaries;
use crate::interrupt::Interrupt;
use crate::stack_dir::StackDir;

/// What one round came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRound {
    /// Before the bonus, in whole units of money.
    pub(crate) profit: f64,
    pub(crate) lost: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
    pub(crate) audits_differing: u64,
    /// Of all payments that were asked for.
    pub(crate) on_default: f64,
    /// Nothing lost, twice, unasked for, refused or inconsistent.
    pub(crate) sound: bool,
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    options: RinhaOptions,
}

/// Plays it with these programs on a stack of its own in this folder, where report and logs
/// stay.
pub(crate) fn play(
    programs: &Path,
    configuration_of: Option<&Path>,
    k6: &K6,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<LastRound> {
    let mut options = Line::try_parse_from(["rinha", "final"])?.options;
    options.configuration_of = configuration_of.map(Path::to_owned);
    let dir = StackDir::new(Some(folder))?;
    dir.create()?;
    Binaries::copy(programs, &dir.binaries())?;
    let scenario = Scenario::finals();
    let outcome = contest::run_built(&scenario, &options, k6, dir, interrupt)?;
    discard_data(folder)?;
    let figures = outcome.figures(&scenario);
    Ok(LastRound {
        profit: figures.profit.about(),
        lost: figures.lost,
        failed: outcome.counted.failed,
        audits_differing: figures.inconsistencies,
        on_default: figures.on_default.about(),
        sound: outcome.is_sound(&figures),
    })
}
