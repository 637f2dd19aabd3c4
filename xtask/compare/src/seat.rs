use std::path::PathBuf;

use anyhow::Result;
use feeway_machine::interrupt::Interrupt;
use feeway_stack::stack_dir::StackDir;
use feeway_stack::up::Intake;

use super::figures::Figures;
use super::measure::{Measured, measure};
use super::options::{CompareOptions, Part};
use super::report;
use super::tools::Tools;
use super::turn::{Side, Turn};

/// What all turns of a comparison share.
pub(super) struct Setup<'a> {
    pub(super) options: &'a CompareOptions,
    pub(super) tools: &'a Tools,
    pub(super) interrupt: &'a Interrupt,
}

/// A part, and what reached each simulator in a second of it.
pub(super) type Posted = (Part, [f64; 2]);

/// A side with the folder of its programs, where it takes its turns.
pub(super) struct Seat {
    pub(super) side: Side,
    pub(super) dir: StackDir,
    /// The tree that the configuration of its servers is of, if not this one.
    pub(super) configuration_of: Option<PathBuf>,
}

impl Seat {
    pub(super) fn new(side: Side, dir: &StackDir) -> Self {
        Self {
            side,
            dir: dir.clone(),
            configuration_of: None,
        }
    }

    /// Runs every part on a side that keeps payments, those in memory on a stack of their own.
    pub(super) fn run(&self, setup: &Setup<'_>, figures: &mut Figures) -> Result<Vec<Posted>> {
        let (memory, durable): (Vec<_>, Vec<_>) = setup
            .options
            .parts()
            .into_iter()
            .partition(|part| *part == Part::Memory);
        let mut posted = Vec::new();
        for (parts, intake) in [(durable, setup.options.intake), (memory, Intake::Memory)] {
            if parts.is_empty() {
                continue;
            }
            let mut turn = self.start(setup, intake)?;
            for part in parts {
                let measured = self.measure(&mut turn, part, None, setup, figures)?;
                posted.push((part, measured.posts_per_second));
            }
            turn.stop()?;
        }
        Ok(posted)
    }

    /// Starts a stack, and has it do a little of everything.
    pub(super) fn start(&self, setup: &Setup<'_>, intake: Intake) -> Result<Turn> {
        let mut turn = Turn::start(self, setup.tools, intake)?;
        turn.warm_up(setup.tools, setup.interrupt)?;
        Ok(turn)
    }

    /// Measures one part, prints it and keeps it.
    pub(super) fn measure(
        &self,
        turn: &mut Turn,
        part: Part,
        posters: Option<[f64; 2]>,
        setup: &Setup<'_>,
        figures: &mut Figures,
    ) -> Result<Measured> {
        let length = setup.options.length(part);
        let measured = measure(turn, part, length, setup.tools, posters, setup.interrupt)?;
        report::print_line(part, self.side, &measured);
        figures.add(part, self.side, &measured);
        Ok(measured)
    }
}
