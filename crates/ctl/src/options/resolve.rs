use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use feeway_domain::{CorrelationId, Fee, ProcessorName, RequestedAt};
use feeway_options::between;

use super::{MINUTE, person, processors_instant, seconds};

/// Options of `resolve`.
#[derive(Args, Clone, Debug)]
pub struct Resolve {
    /// The correlation ids of the payments.
    #[arg(
        value_name = "ID",
        required_unless_present_any = ["all", "file"],
        conflicts_with_all = ["all", "file"]
    )]
    pub ids: Vec<CorrelationId>,
    /// All payments that are pinned to --processor.
    #[arg(long, requires = "processor")]
    pub all: bool,
    /// The statement of the processor, in JSON lines: a line with correlationId, amount and
    /// requestedAt is a payment that it holds, as in an export; a line with correlationId and
    /// "held": false is one that it does not hold. - reads the standard input. With --all
    /// --not-held the statement is complete: pinned payments that are not in it are not held.
    #[arg(
        long,
        value_name = "FILE",
        requires = "processor",
        conflicts_with = "held"
    )]
    pub file: Option<PathBuf>,
    /// The processor of --all and --file.
    #[arg(long, value_name = "NAME")]
    pub processor: Option<ProcessorName>,
    /// You vouch that this processor holds the payment. It is settled there.
    #[arg(
        long,
        value_name = "PROCESSOR",
        requires = "requested_at",
        required_unless_present_any = ["not_held", "file", "all"],
        conflicts_with = "all"
    )]
    pub held: Option<ProcessorName>,
    /// The payment's requestedAt in the processor's books, such as
    /// 2025-07-15T12:34:56.000001Z.
    #[arg(long, value_name = "INSTANT", requires = "held", value_parser = processors_instant)]
    pub requested_at: Option<RequestedAt>,
    /// The share of the amount that the processor keeps, such as 0.05. Without it, the share of its
    /// nearest payments in the ledger.
    #[arg(long, value_name = "SHARE")]
    pub fee: Option<Fee>,
    /// You vouch that the processor to which the payments are pinned does not hold them and will
    /// never take them, whoever asks, not even from requests that may still be in flight. They may
    /// then go to any processor: if you are wrong, the customer is charged twice.
    #[arg(long, conflicts_with_all = ["held", "requested_at"])]
    pub not_held: bool,
    /// How far the processor's clock may be off: a requestedAt that is further before the payment's
    /// acceptance, or further after now, is impossible; 0s to 1m.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub clock_slip: Duration,
    /// Show what would be decided, and decide nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before several payments are decided.
    #[arg(long)]
    pub yes: bool,
    /// How long to wait until the fronts stand back.
    #[arg(long, value_name = "SECONDS", default_value = "60s", value_parser = seconds)]
    pub wait: Duration,
    /// Who vouches; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}

impl Resolve {
    /// Whether it is about one payment, for which nobody is asked once more.
    pub(crate) fn is_single(&self) -> bool {
        self.ids.len() == 1
    }

    /// What clap cannot say.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.held.is_some() && self.ids.len() > 1 {
            Err("--held works for one payment only: put several into a --file")
        } else if self.all && !self.not_held {
            Err(
                "--all needs --not-held: for payments that a processor holds, a --file has to name their times",
            )
        } else if self.file.is_some() && self.not_held && !self.all {
            Err(
                "--file with --not-held needs --all: it says that what is not in the file is not held",
            )
        } else if self.fee.is_some() && self.held.is_none() && self.file.is_none() {
            Err("--fee cannot be used with --not-held alone")
        } else {
            Ok(())
        }
    }
}
