//! Feeway as it is and an old build of it in turn. The old one runs twice in each pair: how far
//! it is from itself is the noise that a difference must stand out from.
//!
//! ```text
//! odd pair:   new, old, again      The old run in the middle is as near to the new one as to
//! even pair:  again, old, new      itself, and a machine that gets slower favours neither.
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use feeway_machine::files::repository;
use feeway_machine::interrupt::Interrupt;
use feeway_stack::stack_dir::StackDir;

use super::build_report;
use super::figures::Figures;
use super::last_round;
use super::old_tree::OldTree;
use super::options::CompareOptions;
use super::seat::{Seat, Setup};
use super::tools::Tools;
use super::turn::{Side, Turn};

/// Returns whether no figure is worse than the old build's, on enough pairs.
pub(super) fn run(options: &CompareOptions, folder: &Path, interrupt: &Interrupt) -> Result<bool> {
    let revision = options.old.as_deref().context("--old REV is required")?;
    let tree = OldTree::find(repository(), revision)?;
    println!("old: {}", tree.title());
    let new_dir = StackDir::new(Some(&folder.join("new")))?;
    let old_dir = StackDir::new(Some(&folder.join("old")))?;
    old_dir.create()?;
    tree.build(options.profile, &old_dir.binaries())?;
    interrupt.check()?;
    let tools = Tools::prepare(&new_dir, options)?;
    let setup = Setup {
        options,
        tools: &tools,
        interrupt,
    };
    let configuration_of = configuration(&tree, &old_dir, &setup)?;
    let mut seats = [
        Seat::new(Side::New, &new_dir),
        Seat::new(Side::Old, &old_dir),
        Seat::new(Side::Again, &old_dir),
    ];
    for old in &mut seats[1..] {
        old.configuration_of.clone_from(&configuration_of);
    }
    let mut figures = Figures::default();
    for pair in 1..=options.pairs {
        println!("\n== pair {pair} of {} ==", options.pairs);
        for seat in &seats {
            take_turn(seat, pair, folder, &setup, &mut figures)?;
        }
        seats.reverse();
    }
    let passed = build_report::print(&figures, options.pairs);
    for dir in [&new_dir, &old_dir] {
        for data in [dir.binaries(), dir.redis_data()] {
            fs::remove_dir_all(data)?;
        }
    }
    println!("\nlogs of the last pair: {}", folder.display());
    Ok(passed)
}

fn take_turn(
    seat: &Seat,
    pair: u32,
    folder: &Path,
    setup: &Setup<'_>,
    figures: &mut Figures,
) -> Result<()> {
    seat.run(setup, figures)?;
    if !setup.options.plays_final() {
        return Ok(());
    }
    let round = last_round::play(
        &seat.dir.binaries(),
        seat.configuration_of.as_deref(),
        &folder.join(format!("final-{pair}-{}", seat.side.name())),
        setup.interrupt,
    )?;
    build_report::print_last_round(seat.side, &round);
    figures.add_last_round(seat.side, round);
    Ok(())
}

/// The tree that the old build's servers take their configuration from: this one, so that only
/// the programs differ, unless these do not start with it.
fn configuration(tree: &OldTree, old_dir: &StackDir, setup: &Setup<'_>) -> Result<Option<PathBuf>> {
    let starts =
        |seat: &Seat| Turn::start(seat, setup.tools, setup.options.intake).and_then(Turn::stop);
    println!("\nDoes the old build start with the present configuration?");
    let mut seat = Seat::new(Side::Old, old_dir);
    let Err(error) = starts(&seat) else {
        return Ok(None);
    };
    setup.interrupt.check()?;
    if !tree.is_configured_otherwise()? {
        return Err(error.context("the old build does not start"));
    }
    println!("\nNo: {error:#}\nIt gets its own configuration, which differs.");
    seat.configuration_of = Some(tree.folder());
    starts(&seat).context("the old build does not start with its own configuration either")?;
    Ok(seat.configuration_of)
}
