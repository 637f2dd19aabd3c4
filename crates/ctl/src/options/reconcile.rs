use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use feeway_domain::{Fee, ProcessorName};
use feeway_options::between;

use super::{MINUTE, Times, person, seconds};

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
    /// starts. It shows what it would write and asks. You vouch that the export is that
    /// processor's and that every line of it was a payment of ours. The end still tells of the
    /// differences; when it is run again there are none.
    #[arg(long, value_name = "SHARE")]
    pub settle_with_fee: Option<Fee>,
    /// The fee was another one then than the one that the fronts have, or nobody knows it.
    #[arg(long, requires = "settle_with_fee")]
    pub fee_differs: bool,
    /// How far the processor's clock may be off: what is settled cannot be in its books at an
    /// instant that is longer before its acceptance, or longer after now; 0s to 1m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub clock_slip: Duration,
    /// Shows what would be settled, and settles nothing.
    #[arg(long, requires = "settle_with_fee")]
    pub dry_run: bool,
    /// Does not ask.
    #[arg(long, requires = "settle_with_fee")]
    pub yes: bool,
    /// How long to wait until the fronts stand back, if any live.
    #[arg(long, value_name = "SECONDS", default_value = "60s", value_parser = seconds)]
    pub wait: Duration,
    /// Who settles.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
    /// JSON lines: one for each difference, and the totals.
    #[arg(long)]
    pub json: bool,
}

impl Reconcile {
    /// Whether it compares all that is kept.
    pub(crate) fn is_of_all(&self) -> bool {
        !self.times.is_given()
    }
}
