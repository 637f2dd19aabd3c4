use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use clap::Parser;
use feeway_domain::{Fee, ProcessorName};

use crate::rules::{Rules, RulesError};
use crate::switches::MAX_DELAY_MS;

const PORT: u16 = 8001;
const PERMITS: u32 = 800;
const QUEUE: u32 = 500;
const MAX_PERMITS: i64 = 1_000_000;

/// How a simulator is set up.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-simulator", version, about, long_about = None)]
pub struct SimulatorConfig {
    /// The address to listen on; port 0 chooses a free port.
    #[arg(long, env = "FEEWAY_SIMULATOR_LISTEN", value_name = "ADDRESS",
          default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)))]
    pub listen: SocketAddr,

    /// A second address, whose connections chaos never refuses.
    #[arg(long, env = "FEEWAY_SIMULATOR_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// The processor's name in the log.
    #[arg(long, env = "FEEWAY_SIMULATOR_NAME", default_value = "default")]
    pub name: ProcessorName,

    /// The share of each amount that the processor keeps.
    #[arg(
        long,
        env = "FEEWAY_SIMULATOR_FEE",
        value_name = "SHARE",
        default_value = "0.05"
    )]
    pub fee: Fee,

    /// The value of X-Rinha-Token that /admin requires.
    #[arg(long, env = "FEEWAY_SIMULATOR_TOKEN", default_value = "123")]
    pub token: String,

    /// How long each payment waits before it is stored, in milliseconds.
    #[arg(long = "delay", env = "FEEWAY_SIMULATOR_DELAY", value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_DELAY_MS)))]
    pub delay_ms: u32,

    /// Start with the failure switch on.
    #[arg(long, env = "FEEWAY_SIMULATOR_FAILING")]
    pub failing: bool,

    /// How the processor differs from a faithful one: the JSON document of PUT /admin/rules, or
    /// @FILE to read it from a file.
    #[arg(long, env = "FEEWAY_SIMULATOR_RULES", value_name = "DOCUMENT",
          default_value = "{}", hide_default_value = true, value_parser = rules)]
    pub rules: Rules,

    /// The most requests for payments that are processed at once.
    #[arg(long, env = "FEEWAY_SIMULATOR_PERMITS", value_name = "N", default_value_t = PERMITS,
          value_parser = clap::value_parser!(u32).range(1..=MAX_PERMITS))]
    pub permits: u32,

    /// How many more may wait for their turn; any more are answered with 429.
    #[arg(long, env = "FEEWAY_SIMULATOR_QUEUE", value_name = "N", default_value_t = QUEUE,
          value_parser = clap::value_parser!(u32).range(..=MAX_PERMITS))]
    pub queue: u32,
}

/// Reads a document, or the file that holds it.
fn rules(value: &str) -> Result<Rules, String> {
    let document = match value.strip_prefix('@') {
        Some(path) => &fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => value,
    };
    document
        .parse()
        .map_err(|error: RulesError| error.to_string())
}

/// What the command line without options gives; it does not read the environment.
impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            admin_listen: None,
            name: "default".parse().expect("a plain name"),
            fee: Fee::from_millionths(50_000).expect("less than one whole"),
            token: "123".to_owned(),
            delay_ms: 0,
            failing: false,
            rules: Rules::default(),
            permits: PERMITS,
            queue: QUEUE,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        SimulatorConfig::command().debug_assert();
        let parsed = SimulatorConfig::try_parse_from(["feeway-simulator"]).unwrap();
        assert_eq!(
            format!("{parsed:?}"),
            format!("{:?}", SimulatorConfig::default())
        );
    }

    #[test]
    fn bad_values_are_refused() {
        for (option, value) in [
            ("--listen", "8001"),
            ("--fee", "5"),
            ("--name", "Default"),
            ("--permits", "0"),
            ("--delay", "-1"),
            ("--delay", "3600001"),
            ("--queue", "x"),
            ("--rules", "{\"rule\":[]}"),
            ("--rules", "@no such file"),
        ] {
            assert!(
                SimulatorConfig::try_parse_from(["feeway-simulator", option, value]).is_err(),
                "{option} {value}"
            );
        }
    }
}
