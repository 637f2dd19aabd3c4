use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use feeway_machine::binaries::Profile;
use feeway_stack::up::{Engine, Intake, word};

use super::loads;

/// What Feeway is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Yardstick {
    /// Servers that answer 202 and keep nothing.
    Floor,
    /// An earlier revision of Feeway.
    Build,
}

/// One kind of load, with what is looked at under it. They run in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Part {
    /// 300 payments a second at absolute times, by a client of our own.
    Paced,
    /// The load of the contest's preview, by k6 without its garbage collector.
    Preview,
    /// As many payments as can be posted, processed and settled; not with the floor.
    Throughput,
    /// Saturation while both processors fail.
    Failing,
    /// Saturation while both processors work.
    Healthy,
    /// Saturation while both processors fail, with `--intake memory`.
    Memory,
}

impl Part {
    pub(super) const ALL: [Self; 6] = [
        Self::Paced,
        Self::Preview,
        Self::Throughput,
        Self::Failing,
        Self::Healthy,
        Self::Memory,
    ];

    /// What makes sense within quotas; saturation would only measure these.
    pub(super) const IN_CONTAINERS: [Self; 2] = [Self::Paced, Self::Preview];
}

/// What `--parts` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Part(Part),
    /// The contest's last round, which takes five minutes and has figures of its own.
    Final,
}

impl Asked {
    fn part(&self) -> Option<Part> {
        match self {
            Self::Part(part) => Some(*part),
            Self::Final => None,
        }
    }
}

impl ValueEnum for Asked {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Part(Part::Paced),
            Self::Part(Part::Preview),
            Self::Part(Part::Throughput),
            Self::Part(Part::Failing),
            Self::Part(Part::Healthy),
            Self::Part(Part::Memory),
            Self::Final,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Part(part) => part.to_possible_value(),
            Self::Final => Some(PossibleValue::new("final").help(
                "The contest's last round, five minutes with k6: with `build`, and only on request",
            )),
        }
    }
}

/// What is compared with what, and how often.
#[derive(Args, Debug)]
pub struct CompareOptions {
    /// What Feeway is compared with
    #[arg(value_enum)]
    pub(super) with: Yardstick,

    /// The git revision to compare with (`build`)
    #[arg(long, value_name = "REV", required_if_eq("with", "build"))]
    pub(super) old: Option<String>,

    /// How many runs of each, in turn; with `build` fewer than 7 decide nothing
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) pairs: u32,

    /// What both run on; containers support only `floor`, with the parts `preview` and `paced`
    #[arg(long, value_enum, default_value = "native")]
    pub(super) engine: Engine,

    /// Only these parts [default: all but `final`; in containers `preview`]
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Asked>,

    /// Where payments are kept before they are answered; the part `memory` is always in memory
    #[arg(long, value_enum, default_value = "durable")]
    pub(super) intake: Intake,

    /// How long the evenly paced client sends
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=600))]
    paced_seconds: u32,

    /// How long k6 takes to reach its 550 users; the contest's preview takes 60
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=600))]
    preview_seconds: u32,

    /// How long each saturation lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=100))]
    saturation_seconds: u32,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    pub(super) profile: Profile,

    /// An empty folder for programs and logs [default: one in target/compare]
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
}

impl CompareOptions {
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = match (&self.parts[..], self.engine) {
            ([], Engine::Native) => Part::ALL.to_vec(),
            ([], Engine::Docker) => vec![Part::Preview],
            (asked, _) => asked.iter().filter_map(Asked::part).collect(),
        };
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    /// Whether the contest's last round is played.
    pub(super) fn plays_final(&self) -> bool {
        self.parts.contains(&Asked::Final)
    }

    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<()> {
        match self.with {
            Yardstick::Floor if self.old.is_some() => {
                bail!("--old works only with `compare build`: the floor has no revision");
            }
            Yardstick::Floor if self.plays_final() => {
                bail!("the part final works only with `compare build`: the floor earns nothing");
            }
            Yardstick::Build if self.engine == Engine::Docker => {
                bail!(
                    "builds are compared as processes of this machine: leave out --engine docker"
                );
            }
            Yardstick::Floor | Yardstick::Build => {}
        }
        let fits =
            |part: &Part| self.engine == Engine::Native || Part::IN_CONTAINERS.contains(part);
        if let Some(part) = self.parts().into_iter().find(|part| !fits(part)) {
            bail!(
                "{} saturates what it measures, which in containers is their quotas: leave it out of --parts, or leave out --engine docker",
                word(part)
            );
        }
        Ok(())
    }

    pub(super) fn length(&self, part: Part) -> Duration {
        let seconds = match part {
            Part::Paced => self.paced_seconds,
            Part::Preview => self.preview_seconds,
            Part::Throughput => loads::THROUGHPUT_SECONDS,
            Part::Failing | Part::Healthy | Part::Memory => self.saturation_seconds,
        };
        Duration::from_secs(seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: CompareOptions,
    }

    fn read(line: &str) -> Result<CompareOptions, clap::Error> {
        let words = format!("compare {line}");
        Line::try_parse_from(words.split_whitespace()).map(|line| line.options)
    }

    #[test]
    fn what_saturates_a_machine_is_not_compared_in_containers() {
        let check = |line: &str, expected: Option<&[Part]>| {
            let options = read(&format!("floor {line}")).unwrap();
            let parts = options.check().map(|()| options.parts());
            assert_eq!(parts.ok().as_deref(), expected, "{line}");
        };
        check("", Some(&Part::ALL));
        check("--parts healthy,paced", Some(&[Part::Paced, Part::Healthy]));
        check("--engine docker", Some(&[Part::Preview]));
        check(
            "--engine docker --parts preview,paced",
            Some(&Part::IN_CONTAINERS),
        );
        check("--engine docker --parts paced,healthy", None);
    }

    #[test]
    fn a_build_needs_a_revision_and_processes_of_this_machine() {
        let check = |line: &str, expected: bool| {
            let good = read(line).is_ok_and(|options| options.check().is_ok());
            assert_eq!(good, expected, "{line}");
        };
        check("build --old HEAD~1", true);
        check("build --old HEAD~1 --pairs 1 --parts final", true);
        check("build", false);
        check("build --old HEAD --engine docker", false);
        check("build --old HEAD --pairs 0", false);
        check("floor --old HEAD", false);
        check("floor --parts final", false);
        check("floor --parts paced,final", false);
    }

    #[test]
    fn the_last_round_is_played_on_request_alone() {
        let check = |line: &str, expected: (&[Part], bool)| {
            let options = read(&format!("build --old HEAD {line}")).unwrap();
            let found = (options.parts(), options.plays_final());
            assert_eq!((&*found.0, found.1), expected, "{line}");
            assert_eq!(options.pairs, 7);
        };
        check("", (&Part::ALL, false));
        check("--parts final", (&[], true));
        check("--parts final,paced", (&[Part::Paced], true));
    }
}
