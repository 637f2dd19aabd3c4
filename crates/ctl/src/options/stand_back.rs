use std::time::Duration;

use clap::Args;
use feeway_domain::ProcessorName;

use super::{person, seconds};

/// Options of `stand-back`.
#[derive(Args, Clone, Debug)]
pub struct StandBack {
    /// The processor; without it, list the orders in force.
    #[arg(value_name = "PROCESSOR")]
    pub processor: Option<ProcessorName>,
    /// End the order.
    #[arg(long, requires = "processor")]
    pub end: bool,
    /// Do not wait until every front has confirmed.
    #[arg(long, requires = "processor", conflicts_with = "end")]
    pub no_wait: bool,
    /// How long to wait for the confirmations.
    #[arg(long, value_name = "SECONDS", default_value = "60s", value_parser = seconds)]
    pub wait: Duration,
    /// Who gives the order; it is recorded.
    #[arg(long, env = "USER", value_name = "NAME", default_value = "unknown", value_parser = person)]
    pub by: String,
}
