mod reconcile;
mod resolve;
mod stand_back;

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use feeway_domain::{CorrelationId, Listed, RequestedAt, RequestedAtError, Window};
use feeway_store::RedisOptions;

pub(crate) use reconcile::Reconcile;
pub(crate) use resolve::Resolve;
pub(crate) use stand_back::StandBack;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// Lists, shows, resolves, reopens and reconciles payments, straight from Redis.
///
/// Use the tool of the same release as the fronts. Commands that only read load no functions into
/// Redis; the others load them only if those in Redis are older. The exit code is 0 for success, 1
/// for differences, refusals and unknown payments, 2 for errors, and 64 for a wrong command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-ctl", version, max_term_width = 100)]
pub struct Options {
    /// Where Redis is, and the credentials for it.
    #[command(flatten)]
    pub redis: RedisOptions,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the operator asks for.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Lists payments in order of time.
    List(List),
    /// Shows everything that is known about a payment.
    Show(Show),
    /// Settles or releases payments that are pinned to a processor which does not come back.
    ///
    /// If fronts are running, they are told to stand back from that processor, and nothing is
    /// decided before each of them has confirmed that it has nothing in flight there. If none is
    /// running, none may appear for 6 s. What is decided, when and by whom, is recorded: see
    /// resolutions.
    Resolve(Resolve),
    /// Takes rejections back, so that fronts try those payments again.
    ///
    /// Works while the fronts are running: one of them takes the payments over with its next
    /// heartbeat. A payment that every processor still declines is rejected again. What is decided,
    /// when and by whom, is recorded: see resolutions.
    Reopen(Reopening),
    /// Tells the fronts to stand back from a processor, or lists such orders.
    ///
    /// They then start no attempt, probe or look-up there, and send new payments to the other
    /// processors. Payments that are pinned there wait until the order is ended.
    StandBack(StandBack),
    /// Lists what was resolved and reopened, when and by whom: the last 10 000 decisions.
    Resolutions(Resolutions),
    /// Lists payments that are booked at another time than their processor reports, because that
    /// time is impossible: the last 10 000.
    Restamped(RestampedList),
    /// Compares a processor's export with the ledger.
    ///
    /// The exit code is 0 when they are equal and 1 when they differ. An export takes 33 bytes of
    /// memory a line, up to three times that while it is read; the ledger is read in pages.
    Reconcile(Reconcile),
    /// Lists the runs of reconcile that settled something, when and by whom: the last 100.
    Runs(RunList),
    /// Takes back what a run of reconcile settled, as if it had never been settled.
    ///
    /// It first shows what it would take back, and asks. A payment that has been changed since then
    /// stays as it is, and is named. A payment that was open before is open again.
    Undo(Undoing),
    /// Lets the fronts go on with a store that has lost data.
    ///
    /// When Redis is empty, is another one, or has an older copy of its data, the fronts accept,
    /// start and write nothing. This command shows what the store has and what it means to go on
    /// with it, asks, and then lets the fronts go on. Compare each processor's export with the
    /// ledger first.
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
    /// Which payments: settled is the ledger line by line; pinned are the open payments that name a
    /// processor.
    #[arg(value_enum)]
    pub status: ListedOption,
    #[command(flatten)]
    pub(crate) times: Times,
    /// The most payments to list; without it all of them.
    #[arg(long, value_name = "LINES")]
    pub limit: Option<u64>,
    /// Print JSON lines, in the format of GET /payments.
    #[arg(long)]
    pub json: bool,
}

/// Options of `show`.
#[derive(Args, Clone, Debug)]
pub struct Show {
    /// The payment's correlation id.
    pub id: CorrelationId,
    /// Print one JSON object.
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
    /// All rejected payments, or those rejected from --from to --to. It asks before it does
    /// anything.
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub(crate) times: Times,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who decides; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

/// Options of `adopt-store`.
#[derive(Args, Clone, Debug)]
pub struct AdoptStore {
    /// Adopt the store even if not every processor's export was compared with its ledger.
    #[arg(long)]
    pub unreconciled: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who decides; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

/// Options of `restamped`.
#[derive(Args, Clone, Debug)]
pub struct RestampedList {
    /// Print JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `resolutions`.
#[derive(Args, Clone, Debug)]
pub struct Resolutions {
    /// Print JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `runs`.
#[derive(Args, Clone, Debug)]
pub struct RunList {
    /// Print JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Options of `undo`.
#[derive(Args, Clone, Debug)]
pub struct Undoing {
    /// The run, as listed by runs.
    pub run: String,
    /// Show what would be taken back, and take nothing back.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Who decides; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

/// A stretch of time.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The first instant, such as 2025-07-15T12:00:00Z; without it the oldest that is kept.
    #[arg(long, value_name = "INSTANT")]
    from: Option<RequestedAt>,
    /// The last instant, inclusive.
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
    /// Accepted and not settled.
    Open,
    /// Open, and tied to the only processor that may have seen it.
    Pinned,
    /// Declined by every processor.
    Rejected,
    /// Held by more than one processor; one line for each of them.
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
