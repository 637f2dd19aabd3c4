mod reconcile;
mod resolve;
mod stand_back;

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use feeway_domain::{CorrelationId, Listed, RequestedAt, RequestedAtError, Window};
use feeway_options::RedisOptions;

pub(crate) use reconcile::Reconcile;
pub(crate) use resolve::Resolve;
pub(crate) use stand_back::StandBack;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Lists, shows, resolves, reopens and reconciles payments, straight from Redis.
///
/// Use the tool of the same release as the fronts. What only reads loads no functions into
/// Redis, and what decides loads them only if those that are there are older.
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
    /// Ends the wait of payments that are pinned to a processor which never comes back.
    ///
    /// While fronts live they are told to stand back from that processor, and nothing is decided
    /// before each of them has confirmed that nothing of it is in flight. Without any front
    /// nobody may be heard of for 6 s. What is decided, when and by whom is kept: see
    /// resolutions.
    Resolve(Resolve),
    /// Takes rejections back: fronts try those payments again.
    ///
    /// Works while the fronts live: the next heartbeat of one takes them over. A processor that
    /// still declines such a payment makes it rejected again. What is decided, when and by whom
    /// is kept: see resolutions.
    Reopen(Reopening),
    /// Has the fronts stand back from a processor, or lists from which they do.
    ///
    /// They start nothing there, no attempt, probe or look-up, and send new payments to the
    /// others. What is pinned there waits until the order is ended.
    StandBack(StandBack),
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
    /// Lists the runs of reconcile that settled something, when and by whom: the last 100.
    Runs(RunList),
    /// Takes back what a run of reconcile settled, as if it had never been.
    ///
    /// It shows first what it would take back, and asks. A payment that something else has touched
    /// since stays as it is, and is named. One that was open before is open again.
    Undo(Undoing),
    /// Lets the fronts go on with a store that has lost its past.
    ///
    /// When Redis is empty, another one, or an older copy of its data, fronts stand still: nothing
    /// is accepted, started or written. This shows what the store has, says what it means to go
    /// on with it, asks, and lets them. Compare each processor's export with the ledger first.
    AdoptStore(AdoptStore),
}

impl Command {
    /// Whether it changes nothing in Redis. Then it brings no functions there either.
    pub(crate) fn only_reads(&self) -> bool {
        match self {
            Self::List(_)
            | Self::Show(_)
            | Self::Resolutions(_)
            | Self::Restamped(_)
            | Self::Runs(_) => true,
            Self::Undo(asked) => asked.dry_run,
            Self::Reconcile(asked) => asked.settle_with_fee.is_none(),
            Self::Resolve(asked) => asked.dry_run,
            Self::StandBack(asked) => asked.processor.is_none(),
            Self::Reopen(_) | Self::AdoptStore(_) => false,
        }
    }
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

/// Options of `adopt-store`.
#[derive(Args, Clone, Debug)]
pub struct AdoptStore {
    /// Also without a comparison of every processor's export with this store's ledger.
    #[arg(long)]
    pub unreconciled: bool,
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

/// Options of `runs`.
#[derive(Args, Clone, Debug)]
pub struct RunList {
    /// JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `undo`.
#[derive(Args, Clone, Debug)]
pub struct Undoing {
    /// Which, as runs lists it.
    pub run: String,
    /// Shows what would be taken back, and takes nothing back.
    #[arg(long)]
    pub dry_run: bool,
    /// Does not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who decides, for the record.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
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
        Window::new(self.from, self.to).map_or(Err("--from is later than --to"), |_| Ok(()))
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
                return Err(wrong("--from and --to work only with --all"));
            }
            Command::Reopen(asked) => Some(asked.times),
            Command::Show(_)
            | Command::Resolve(_)
            | Command::StandBack(_)
            | Command::Resolutions(_)
            | Command::Restamped(_)
            | Command::Runs(_)
            | Command::Undo(_)
            | Command::AdoptStore(_) => None,
        };
        times.map_or(Ok(()), Times::check).map_err(wrong)?;
        if let Command::Resolve(asked) = &options.command {
            asked.check().map_err(wrong)?;
        }
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

/// A whole number of seconds, up to an hour.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
    match seconds {
        Ok(seconds @ 0..=3_600) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err("must be whole seconds, such as 60s, up to 3600s"),
    }
}

#[cfg(test)]
mod tests;
