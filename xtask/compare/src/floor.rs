//! Feeway and the floor in turn, Feeway first: the poster that keeps the machine as busy beside
//! the floor repeats the rate at which Feeway has just posted to each simulator in the same
//! part.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use feeway_machine::interrupt::Interrupt;
use feeway_stack::stack_dir::StackDir;

use super::figures::Figures;
use super::floor_report;
use super::options::{CompareOptions, Part};
use super::seat::{Posted, Seat, Setup};
use super::tools::Tools;
use super::turn::Side;

/// Returns whether every bound is met.
pub(super) fn run(options: &CompareOptions, folder: &Path, interrupt: &Interrupt) -> Result<bool> {
    let dir = StackDir::new(Some(folder))?;
    let tools = Tools::prepare(&dir, options)?;
    let setup = Setup {
        options,
        tools: &tools,
        interrupt,
    };
    let [feeway, floor] = [Side::Feeway, Side::Floor].map(|side| Seat::new(side, &dir));
    let mut figures = Figures::default();
    for pair in 1..=options.pairs {
        println!("\n== pair {pair} of {} ==", options.pairs);
        let mut posted = feeway.run(&setup, &mut figures)?;
        posted.retain(|(part, _)| *part != Part::Throughput);
        if !posted.is_empty() {
            run_floor(&floor, posted, &setup, &mut figures)?;
        }
    }
    let met = floor_report::print(&figures, options.pairs, options.engine);
    for data in [dir.binaries(), dir.redis_data()] {
        fs::remove_dir_all(data)?;
    }
    println!("\nlogs of the last pair: {}", dir.logs().display());
    Ok(met)
}

/// It keeps nothing, and so needs no stack of its own for the part in memory.
fn run_floor(
    floor: &Seat,
    posted: Vec<Posted>,
    setup: &Setup<'_>,
    figures: &mut Figures,
) -> Result<()> {
    let mut turn = floor.start(setup, setup.options.intake)?;
    for (part, rates) in posted {
        let measured = floor.measure(&mut turn, part, Some(rates), setup, figures)?;
        if measured.load.ok == 0 {
            bail!(
                "the floor answered no requests: see {}",
                floor.dir.logs().display()
            );
        }
    }
    turn.stop()
}
