use std::time::Duration;

use clap::Args;
use feeway_domain::ProcessorName;

use super::{person, seconds};

/// Options of `stand-back`.
#[derive(Args, Clone, Debug)]
pub struct StandBack {
    /// The processor; without it the orders in force are listed.
    #[arg(value_name = "PROCESSOR")]
    pub processor: Option<ProcessorName>,
    /// Ends the order.
    #[arg(long, requires = "processor")]
    pub end: bool,
    /// Does not wait until every front has confirmed.
    #[arg(long, requires = "processor", conflicts_with = "end")]
    pub no_wait: bool,
    /// How long to wait for that.
    #[arg(long, value_name = "SECONDS", default_value = "60s", value_parser = seconds)]
    pub wait: Duration,
    /// Who orders it.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}
