use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use feeway_machine::binaries::Profile;
use feeway_machine::files::repository;

/// Where payments are kept before they are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Intake {
    /// In Redis: an accepted payment outlives every process.
    Durable,
    /// In the front's memory: faster, and lost with the front.
    Memory,
}

/// How payments get to the lanes of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dispatch {
    /// A channel for each lane, filled in turn.
    RoundRobin,
    /// One channel that all lanes take from.
    SharedPool,
}

/// When Redis syncs its file to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fsync {
    /// Once a second.
    Everysec,
    /// Before each answer.
    Always,
}

/// What the stack runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Processes of this machine.
    Native,
    /// Containers, within the limits of `compose.yaml`.
    Docker,
}

/// What stands between clients and fronts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LoadBalancer {
    /// Checks the fronts' health, and repeats a request that a front did not answer.
    Haproxy,
    /// As in the original system; docs/containers.md says what it cannot do
    Nginx,
}

/// How the stack is made up. What is not given is left to the programs' own defaults.
#[derive(Args, Debug)]
pub struct UpOptions {
    /// Return once the stack is ready, and leave it running
    #[arg(long)]
    pub(crate) detach: bool,

    /// What the stack runs on
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) engine: Engine,

    /// What stands between clients and fronts
    #[arg(long, value_enum, default_value = "haproxy")]
    pub(crate) lb: LoadBalancer,

    /// Put the floor in the fronts' places (containers only): a server that answers 202 and
    /// does nothing else, to compare with
    #[arg(long, hide = true)]
    pub(crate) floor: bool,

    /// A payment processor, as `NAME=URL,fee=0.05`; give it once for each. Without any, two
    /// simulated ones are started
    #[arg(long = "processor", value_name = "NAME=URL,fee=F", value_parser = processor)]
    pub(crate) processors: Vec<String>,

    /// The name of a processor whose URL has changed, with the same ledger behind it; give it once
    /// for each
    #[arg(long, value_name = "NAME", value_delimiter = ';')]
    pub(crate) moved: Vec<String>,

    /// The name of the installation, by which a payment that comes back is recognized [default:
    /// feeway]
    #[arg(long, value_name = "NAME")]
    pub(crate) deployment: Option<String>,

    /// How many fronts share the work
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) fronts: u16,

    /// How many leaders stand ready to ask the processors for their health
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub(crate) leaders: u16,

    /// Where payments are kept before they are answered [default: durable]
    #[arg(long, value_enum)]
    pub(crate) intake: Option<Intake>,

    /// How payments are distributed among the lanes of a front [default: round-robin]
    #[arg(long, value_enum)]
    pub(crate) dispatch: Option<Dispatch>,

    /// When Redis syncs its file to the disk
    #[arg(long, value_enum, default_value = "everysec")]
    pub(crate) fsync: Fsync,

    /// How long a payment waits for a cheaper processor that fails, like `60s` [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) patience: Option<String>,

    /// The expected latency above which a processor counts as slow, like `1200ms` [default: 1200ms]
    #[arg(long, value_name = "DURATION")]
    pub(crate) max_latency: Option<String>,

    /// How often a failing processor is tried with a payment, like `200ms` [default: 200ms]
    #[arg(long, value_name = "DURATION")]
    pub(crate) probe_interval: Option<String>,

    /// The time over which payments that waited for a processor are sent when it works again, like
    /// `1s` [default: 1s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) catch_up: Option<String>,

    /// The most attempts that a front has in flight at one processor [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) max_in_flight: Option<u32>,

    /// How long an attempt waits for its answer, like `30s` [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) attempt_timeout: Option<String>,

    /// How long after a payment's last attempt "not found" proves that the processor does not
    /// hold it, like `15s` [default: 15s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) absence_after: Option<String>,

    /// How far a processor's clock may be off before the times that it reports are not believed,
    /// like `2s` [default: 2s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) clock_slip: Option<String>,

    /// The most open payments that the journal takes
    #[arg(long, value_name = "N")]
    pub(crate) max_open: Option<u64>,

    /// How long settled payments are kept, like `7d` [default: 7d]
    #[arg(long, value_name = "DURATION")]
    pub(crate) retention: Option<String>,

    /// Let `POST /purge-payments` empty the ledger
    #[arg(long)]
    pub(crate) allow_purge: bool,

    /// The port for payments
    #[arg(long, default_value_t = 9999)]
    pub(crate) port: u16,

    /// The port of the first simulated processor; the second uses the next one
    #[arg(long, default_value_t = 8001)]
    pub(crate) simulator_port: u16,

    /// The fee of the first simulated processor
    #[arg(long, default_value = "0.05", value_name = "F")]
    pub(crate) fee_default: String,

    /// The fee of the second simulated processor
    #[arg(long, default_value = "0.15", value_name = "F")]
    pub(crate) fee_fallback: String,

    /// How much memory Redis may use, like `2gb` [default: half of the machine's]
    #[arg(long, value_name = "SIZE")]
    pub(crate) redis_memory: Option<String>,

    /// How the programs are compiled
    #[arg(long, value_enum, default_value = "release")]
    pub(crate) profile: Profile,

    /// Take the configuration of HAProxy, Redis and NATS from this tree (processes only):
    /// programs of another revision may need their own
    #[arg(long, hide = true, value_name = "TREE")]
    pub(crate) configuration_of: Option<PathBuf>,
}

/// The front reads it in full; this is to name the mistake before anything is built.
fn processor(text: &str) -> Result<String, String> {
    let (name, rest) = text.split_once('=').ok_or("no `NAME=` in front")?;
    let (url, parts) = rest.split_once(',').ok_or("no `,fee=` after the URL")?;
    if !parts.split(',').any(|part| part.starts_with("fee=")) {
        return Err("no `,fee=` after the URL".to_owned());
    }
    if name.is_empty() || !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err("not of the form NAME=http://HOST:PORT,fee=0.05".to_owned());
    }
    Ok(text.to_owned())
}

impl UpOptions {
    /// The ports of the simulated processors.
    pub(crate) fn simulator_ports(&self) -> Result<[u16; 2]> {
        let second = self.simulator_port.checked_add(1);
        let second = second.context("--simulator-port leaves no port for the second one")?;
        Ok([self.simulator_port, second])
    }

    /// The tree that the servers' configuration is copied from.
    pub(crate) fn configuration_tree(&self) -> &Path {
        self.configuration_of.as_deref().unwrap_or(repository())
    }

    /// What a person may want to open: label and URL.
    pub(crate) fn urls(&self) -> Vec<(String, String)> {
        [("Payments", "payments"), ("Summary", "payments-summary")]
            .map(|(label, path)| {
                let url = format!("http://localhost:{}/{path}", self.port);
                (label.to_owned(), url)
            })
            .into()
    }

    /// The options that are handed on to each front, as the variables that it reads too.
    pub(crate) fn front_environment(&self) -> BTreeMap<String, String> {
        let variable = |option: &str| {
            let name = option.trim_start_matches('-').replace('-', "_");
            format!("FEEWAY_{}", name.to_ascii_uppercase())
        };
        let mut environment = BTreeMap::new();
        let mut arguments = self.front_arguments().into_iter().peekable();
        while let Some(option) = arguments.next() {
            let value = arguments.next_if(|next| !next.starts_with("--"));
            environment.insert(
                variable(&option),
                value.unwrap_or_else(|| "true".to_owned()),
            );
        }
        environment
    }

    /// The options that are handed on to each front.
    pub(crate) fn front_arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut give = |option: &str, value: Option<String>| {
            if let Some(value) = value {
                arguments.extend([option.to_owned(), value]);
            }
        };
        give(
            "--moved",
            (!self.moved.is_empty()).then(|| self.moved.join(";")),
        );
        give("--deployment", self.deployment.clone());
        give("--intake", self.intake.map(word));
        give("--dispatch", self.dispatch.map(word));
        give("--patience", self.patience.clone());
        give("--max-latency", self.max_latency.clone());
        give("--probe-interval", self.probe_interval.clone());
        give("--catch-up", self.catch_up.clone());
        give("--max-in-flight", self.max_in_flight.map(|n| n.to_string()));
        give("--attempt-timeout", self.attempt_timeout.clone());
        give("--absence-after", self.absence_after.clone());
        give("--clock-slip", self.clock_slip.clone());
        give("--max-open", self.max_open.map(|n| n.to_string()));
        give("--retention", self.retention.clone());
        if self.allow_purge {
            arguments.push("--allow-purge".to_owned());
        }
        arguments
    }
}

/// A value as it is written on the command line.
pub fn word(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        up: UpOptions,
    }

    fn read(line: &[&str]) -> Result<UpOptions, clap::Error> {
        Line::try_parse_from(["up"].iter().chain(line)).map(|line| line.up)
    }

    #[test]
    fn what_is_not_given_is_left_to_the_front() {
        let up = read(&[]).unwrap();
        assert_eq!(up.front_arguments(), Vec::<String>::new());
        assert_eq!(up.simulator_ports().unwrap(), [8001, 8002]);
    }

    #[test]
    fn what_is_given_is_handed_on() {
        let up = read(&[
            "--dispatch",
            "shared-pool",
            "--patience",
            "0s",
            "--catch-up",
            "3s",
            "--moved",
            "a",
            "--moved=b",
            "--allow-purge",
        ]);
        let expected = [
            "--moved",
            "a;b",
            "--dispatch",
            "shared-pool",
            "--patience",
            "0s",
            "--catch-up",
            "3s",
            "--allow-purge",
        ];
        assert_eq!(up.unwrap().front_arguments(), expected);
    }

    #[test]
    fn what_is_given_is_handed_on_to_containers_too() {
        let up = read(&["--max-latency", "1s", "--allow-purge", "--max-open", "9"]);
        let expected = [
            ("FEEWAY_ALLOW_PURGE", "true"),
            ("FEEWAY_MAX_LATENCY", "1s"),
            ("FEEWAY_MAX_OPEN", "9"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(up.unwrap().front_environment(), BTreeMap::from(expected));
    }

    #[test]
    fn a_processor_needs_name_url_and_fee() {
        let check = |text: &str, good: bool| {
            assert_eq!(read(&["--processor", text]).is_ok(), good, "{text}");
        };
        check("default=http://localhost:8001,fee=0.05", true);
        check(
            "a=https://a.example/v2,fee=0.05,authorization-file=/t",
            true,
        );
        check("a=https://a.example/v2,authorization-file=/t", false);
        check("default=http://localhost:8001", false);
        check("http://localhost:8001,fee=0.05", false);
        check("=http://localhost:8001,fee=0.05", false);
        check("default=localhost,fee=0.05", false);
    }

    #[test]
    fn the_entrance_has_room_for_eight_fronts() {
        assert!(read(&["--fronts", "8"]).is_ok());
        assert!(read(&["--fronts", "9"]).is_err());
        assert!(read(&["--fronts", "0"]).is_err());
    }
}
