use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use feeway_domain::{
    CorrelationId, Fee, Listed, ProcessorName, RequestedAt, RequestedAtError, Window,
};
use feeway_options::{RedisOptions, between};

const MINUTE: Duration = Duration::from_secs(60);

/// Lists, shows, resolves, reopens and reconciles payments, straight from Redis.
///
/// Use the tool of the same release as the fronts: both bring their functions to Redis.
/// It ends with 0 when all is well, 1 for differences, refusals and unknown payments, 2 for
/// errors, and 64 for a command line that it does not understand.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-ctl", version, max_term_width = 100)]
pub struct Options {
    /// Redis, and what it takes to be let in.
    #[command(flatten)]
    pub redis: RedisOptions,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the operator asks for.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists payments in the order of time.
    List(List),
    /// Shows all that is known of a payment.
    Show(Show),
    /// Ends the wait of a payment that is pinned to a processor which never comes back.
    ///
    /// Only while no living front has it in hand: stop every front, wait 6 s, resolve, and
    /// start them again, without that processor if it is gone for good. A living front asks
    /// it for ever and may not be overtaken. What is decided, when and by whom is kept: see
    /// resolutions.
    Resolve(Resolve),
    /// Takes rejections back: fronts try those payments again.
    ///
    /// Works while the fronts live: the next heartbeat of one takes them over. A processor that
    /// still declines such a payment makes it rejected again. What is decided, when and by whom
    /// is kept: see resolutions.
    Reopen(Reopening),
    /// Lists what was resolved and reopened, when and by whom: the last 10 000.
    Resolutions(Resolutions),
    /// Lists payments that are booked at another time than their processor says, because that
    /// one is impossible: the last 10 000.
    Restamped(RestampedList),
    /// Compares a processor's export with the ledger.
    ///
    /// Ends with 0 when they are equal and with 1 when they differ. An export of N lines
    /// takes 33 bytes of memory for each, up to three times that while it is read; the ledger
    /// is read in pages.
    Reconcile(Reconcile),
}

/// Options of `list`.
#[derive(Args, Clone, Debug)]
pub struct List {
    /// Which payments: settled is the ledger line by line; pinned are the open ones that name
    /// a processor.
    #[arg(value_enum)]
    pub status: ListedOption,
    #[command(flatten)]
    pub(crate) times: Times,
    /// At most so many; all of them unless given.
    #[arg(long, value_name = "LINES")]
    pub limit: Option<u64>,
    /// JSON lines, as GET /payments has them.
    #[arg(long)]
    pub json: bool,
}

/// Options of `show`.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// The payment's correlation id.
    pub id: CorrelationId,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Options of `resolve`.
#[derive(Args, Clone, Debug)]
pub struct Resolve {
    /// The payment's correlation id.
    pub id: CorrelationId,
    /// You vouch: this processor holds the payment. It is settled there.
    #[arg(
        long,
        value_name = "PROCESSOR",
        requires = "requested_at",
        required_unless_present = "not_held"
    )]
    pub held: Option<ProcessorName>,
    /// The payment's requestedAt in the processor's books, such as
    /// 2025-07-15T12:34:56.000001Z.
    #[arg(long, value_name = "INSTANT", requires = "held", value_parser = processors_instant)]
    pub requested_at: Option<RequestedAt>,
    /// The share of the amount that the processor keeps, such as 0.05. Unless given, that of
    /// its nearest payments in the ledger.
    #[arg(long, value_name = "SHARE", requires = "held")]
    pub fee: Option<Fee>,
    /// You vouch: the processor it is pinned to does not hold the payment and will never take
    /// it, whoever asks, also from requests that may still be under way. It may then go to
    /// any processor: if you are wrong, the customer is charged twice.
    #[arg(long, conflicts_with_all = ["held", "requested_at", "fee"])]
    pub not_held: bool,
    /// How far the processor's clock may be off: the payment cannot be in its books at an instant
    /// that is longer before its acceptance, or longer after now; 0s to 1m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub clock_slip: Duration,
    /// Who vouches, for the record.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

/// Options of `reopen`.
#[derive(Args, Clone, Debug)]
pub struct Reopening {
    /// The payments' correlation ids.
    #[arg(
        value_name = "ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub ids: Vec<CorrelationId>,
    /// Whatever is rejected, or was from --from to --to. It asks before it does anything.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub(crate) times: Times,
    /// Does not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who decides, for the record.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

/// Options of `restamped`.
#[derive(Args, Clone, Debug)]
pub struct RestampedList {
    /// JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `resolutions`.
#[derive(Args, Clone, Debug)]
pub struct Resolutions {
    /// JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `reconcile`.
#[derive(Args, Clone, Debug)]
pub struct Reconcile {
    /// The export: a JSON object with correlationId, amount and requestedAt in each line, in
    /// any order; - reads it from the standard input.
    pub file: PathBuf,
    /// The processor's name in the ledger.
    #[arg(long, value_name = "NAME")]
    pub processor: ProcessorName,
    #[command(flatten)]
    pub(crate) times: Times,
    /// Settles in the ledger, with this share of the amount as the fee, what the processor
    /// holds and the ledger does not: after Redis was restored from a copy, before a front
    /// starts. You vouch that every line of the export was a payment of ours. The end still
    /// tells of the differences; when it is run again there are none.
    #[arg(long, value_name = "SHARE")]
    pub settle_with_fee: Option<Fee>,
    /// JSON lines: one for each difference, and the totals.
    #[arg(long)]
    pub json: bool,
}

/// A stretch of time.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Times {
    /// From this instant on, such as 2025-07-15T12:00:00Z; what is kept unless given.
    #[arg(long, value_name = "INSTANT")]
    from: Option<RequestedAt>,
    /// Up to this instant, which still counts.
    #[arg(long, value_name = "INSTANT")]
    to: Option<RequestedAt>,
}

impl Times {
    pub(crate) fn window(self) -> Window {
        Window::new(self.from, self.to).expect("checked when the command line was read")
    }

    fn is_given(self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    fn check(self) -> Result<(), &'static str> {
        Window::new(self.from, self.to).map_or(Err("--from lies after --to"), |_| Ok(()))
    }
}

/// Which payments are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListedOption {
    /// Accepted, not settled.
    Open,
    /// Open, and naming the only processor that may have seen it.
    Pinned,
    /// Refused by every processor.
    Rejected,
    /// Held by more than one processor: a line for each.
    Conflict,
    /// The ledger.
    Settled,
}

impl From<ListedOption> for Listed {
    fn from(status: ListedOption) -> Self {
        match status {
            ListedOption::Open => Self::Open,
            ListedOption::Pinned => Self::Pinned,
            ListedOption::Rejected => Self::Rejected,
            ListedOption::Conflict => Self::Conflict,
            ListedOption::Settled => Self::Settled,
        }
    }
}

impl Options {
    /// Reads and checks a command line, its program name first, and the environment.
    ///
    /// # Errors
    /// Also for `--help` and `--version`, as clap has it.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let options = Self::try_parse_from(arguments)?;
        let wrong = |what: &str| Self::command().error(ErrorKind::ValueValidation, what);
        options.redis.check().map_err(wrong)?;
        let times = match &options.command {
            Command::List(asked) => Some(asked.times),
            Command::Reconcile(asked) => Some(asked.times),
            Command::Reopen(asked) if !asked.all && asked.times.is_given() => {
                return Err(wrong("--from and --to are for --all"));
            }
            Command::Reopen(asked) => Some(asked.times),
            Command::Show(_)
            | Command::Resolve(_)
            | Command::Resolutions(_)
            | Command::Restamped(_) => None,
        };
        times.map_or(Ok(()), Times::check).map_err(wrong)?;
        Ok(options)
    }
}

/// As a processor writes it: the Z may be missing.
fn processors_instant(text: &str) -> Result<RequestedAt, RequestedAtError> {
    RequestedAt::from_processor(text)
}

fn person(text: &str) -> Result<String, &'static str> {
    let plain = text.chars().all(|one| !one.is_control());
    if plain && (1..=100).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 100 bytes of plain text")
    }
}

#[cfg(test)]
mod tests {
    use feeway_options::one_line;

    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
    const T: &str = "2025-07-15T12:34:56.000001";

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let redis = ["feeway-ctl", "--redis=unix:///run/redis.sock"];
        let arguments = redis.iter().chain(arguments).map(OsString::from);
        Options::read(arguments).map_err(|error| one_line(&error))
    }

    #[test]
    fn the_command_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_verdict_is_one_of_two_and_complete() {
        for (arguments, refusal) in [
            (&["resolve", ID][..], Some("--held")),
            (&["resolve", ID, "--held=default"], Some("--requested-at")),
            (
                &["resolve", ID, "--requested-at", T],
                Some("--held <PROCESSOR>"),
            ),
            (
                &["resolve", ID, "--held=default", "--requested-at", T],
                None,
            ),
            (&["resolve", ID, "--not-held"], None),
            (
                &["resolve", ID, "--not-held", "--fee=0.05"],
                Some("cannot be used with"),
            ),
            (
                &["resolve", ID, "--not-held", "--held=a", "--requested-at", T],
                Some("cannot be used with"),
            ),
            (&["resolve", "1", "--not-held"], Some("not a UUID")),
            (
                &["resolve", ID, "--not-held", "--clock-slip=2m"],
                Some("between 0s and 1m"),
            ),
            (&["reopen"], Some("<ID>...")),
            (&["reopen", ID, ID], None),
            (&["reopen", ID, "--all"], Some("cannot be used with")),
            (&["reopen", ID, "--yes"], None),
            (&["reopen", "--all", "--from=2025-07-15T00:00:00Z"], None),
            (
                &["reopen", ID, "--from=2025-07-15T00:00:00Z"],
                Some("--from and --to are for --all"),
            ),
            (&["resolve", ID, "--not-held", "--by="], Some("--by")),
            (
                &[
                    "list",
                    "open",
                    "--from=2025-07-15T00:00:00Z",
                    "--to=2025-07-14T00:00:00Z",
                ],
                Some("--from lies after --to"),
            ),
            (&["list", "lost"], Some("lost")),
            (&["reconcile", "x.json"], Some("--processor")),
            (
                &["reconcile", "x", "--processor=a", "--settle-with-fee=5"],
                Some("--settle-with-fee"),
            ),
        ] {
            match (read(arguments), refusal) {
                (Ok(_), None) => {}
                (Err(said), Some(expected)) => {
                    assert!(said.contains(expected) && !said.contains('\n'), "{said}");
                }
                (other, _) => panic!("{arguments:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn redis_is_needed() {
        let bare = ["feeway-ctl", "list", "open"].map(OsString::from);
        // Unless the environment of the test has it.
        assert!(Options::read(bare).is_err() || std::env::var_os("FEEWAY_REDIS").is_some());
    }
}
