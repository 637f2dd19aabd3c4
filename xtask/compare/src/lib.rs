//! Feeway beside another, in turn: the floor, or an earlier build of its own.
//!
//! The floor is two servers behind the same HAProxy that read a payment and answer 202. Nothing
//! behind HAProxy can be faster, so the ratio says what keeping a payment costs, whatever the
//! machine. An earlier build says what a change costs.
//!
//! ```text
//! floor:  Feeway ──► loads ──► floor, with posters as busy ──► ratios and their bounds
//! build:  new ──► loads ──► old ──► loads ──► old again ──► differences beside their noise
//! ```
//!
//! With `--engine docker` Feeway and the floor are stacks in containers within the limits of
//! `compose.yaml`, the floor in two with the fronts' limits.

mod build;
mod build_report;
mod compared;
mod figures;
mod floor;
mod floor_report;
mod generator;
mod last_round;
mod limits;
mod loads;
mod measure;
mod old_tree;
mod options;
mod report;
mod seat;
mod settled;
mod tools;
mod turn;
mod usage;
mod verdict;

use std::path::PathBuf;

use anyhow::Result;

pub use self::options::CompareOptions;
use feeway_machine::clock;
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_stack::private_stack::check_unused;
use feeway_stack::up::word;

use self::options::Yardstick;

/// Measures and prints. Returns whether every bound is met, or no figure is worse than the old
/// build's.
pub fn run(options: &CompareOptions) -> Result<bool> {
    options.check()?;
    let folder = folder(options)?;
    check_unused(&folder)?;
    let interrupt = Interrupt::catch()?;
    match options.with {
        Yardstick::Floor => floor::run(options, &folder, &interrupt),
        Yardstick::Build => build::run(options, &folder, &interrupt),
    }
}

fn folder(options: &CompareOptions) -> Result<PathBuf> {
    if let Some(folder) = &options.dir {
        return Ok(std::path::absolute(folder)?);
    }
    let name = format!("{}-{}", word(options.with), clock::unix_seconds());
    Ok(repository().join("target/compare").join(name))
}
