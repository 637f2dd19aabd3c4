use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use feeway_domain::{Fee, ProcessorName};
use feeway_options::between;

use super::{MINUTE, Times, person, seconds};

/// Options of `reconcile`.
#[derive(Args, Clone, Debug)]
pub struct Reconcile {
    /// The export: JSON lines in any order, each an object with correlationId, amount and
    /// requestedAt; - reads the standard input.
    pub file: PathBuf,
    /// The processor's name in the ledger.
    #[arg(long, value_name = "NAME")]
    pub processor: ProcessorName,
    #[command(flatten)]
    pub(crate) times: Times,
    /// Settle in the ledger what the processor holds and the ledger does not, with this share of
    /// the amount as the fee: for use after Redis was restored from a copy. It shows what it would
    /// write, and asks. You vouch that the export is that processor's and that every line of it was
    /// a payment of ours. The exit code still reports the differences that were found; run it again
    /// to see that there are none left.
    #[arg(long, value_name = "SHARE")]
    pub settle_with_fee: Option<Fee>,
    /// Accept a fee that differs from the one of the fronts, or that nothing confirms.
    #[arg(long, requires = "settle_with_fee")]
    pub fee_differs: bool,
    /// How far the processor's clock may be off: a requestedAt that is further before the payment's
    /// acceptance, or further after now, is impossible; 0s to 1m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub clock_slip: Duration,
    /// Show what would be settled, and settle nothing.
    #[arg(long, requires = "settle_with_fee")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, requires = "settle_with_fee")]
    pub yes: bool,
    /// How long to wait until the fronts stand back, if any are running.
    #[arg(long, value_name = "SECONDS", default_value = "60s", value_parser = seconds)]
    pub wait: Duration,
    /// Who settles; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
    /// Print JSON lines: one for each difference, and the totals.
    #[arg(long)]
    pub json: bool,
}

impl Reconcile {
    /// Whether it compares all that is kept.
    pub(crate) fn is_of_all(&self) -> bool {
        !self.times.is_given()
    }
}
