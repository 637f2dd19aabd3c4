use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use feeway_health::NatsOptions;
use feeway_process::LogOptions;
use feeway_processor::{ProcessorOption, order_processors, processor_parser};
use feeway_store::RedisOptions;

/// Asks the payment processors for their health while it holds the lease.
///
/// Start two or more: one of them holds the lease and asks each processor every 5 s; the others
/// stand by.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-leader", version)]
pub struct Options {
    /// The name of this process, in its logs and as holder of the lease.
    #[arg(long, env = "FEEWAY_NAME", default_value = "leader")]
    pub name: String,

    /// A processor; give the option once for each, or separate them with ";" in the variable. After
    /// another comma authorization-file=PATH, ca-file=PATH and declines=final may follow, as for
    /// the front.
    #[arg(
        long = "processor",
        env = "FEEWAY_PROCESSORS",
        hide_env_values = true,
        value_name = "NAME=URL,fee=0.05",
        value_delimiter = ';',
        required = true,
        value_parser = processor_parser()
    )]
    pub processors: Vec<ProcessorOption>,

    /// Where Redis is, and the credentials for it.
    #[command(flatten)]
    pub redis: RedisOptions,

    /// Where NATS is, and the credentials for it.
    #[command(flatten)]
    pub nats: NatsOptions,

    /// The address for /healthz, /readyz and /metrics; port 0 chooses a free port.
    #[arg(
        long,
        env = "FEEWAY_ADMIN_LISTEN",
        value_name = "tcp:ADDR",
        default_value = "tcp:127.0.0.1:0"
    )]
    pub admin_listen: AdminAddress,

    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
}

impl Options {
    /// Reads and checks the command line and the environment. The error is also the answer to
    /// `--help` and `--version`.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut options = Self::try_parse_from(arguments)?;
        options.processors = order_processors(options.processors).map_err(|error| {
            Self::command().error(
                ErrorKind::ValueValidation,
                format!("invalid value for '--processor': {error}"),
            )
        })?;
        let checked = options.redis.check().and_then(|()| options.nats.check());
        checked.map_err(|why| Self::command().error(ErrorKind::ArgumentConflict, why))?;
        Ok(options)
    }
}

/// Where the admin listener is: `tcp:127.0.0.1:9100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminAddress(pub SocketAddr);

/// The text is not such an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address such as tcp:127.0.0.1:9100")]
pub struct AdminAddressError;

impl FromStr for AdminAddress {
    type Err = AdminAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.strip_prefix("tcp:").ok_or(AdminAddressError)?;
        address.parse().map(Self).or(Err(AdminAddressError))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use feeway_options::one_line;

    use super::*;

    fn read(arguments: &str) -> Result<Options, clap::Error> {
        let words = std::iter::once("feeway-leader").chain(arguments.split_whitespace());
        Options::read(words.map(OsString::from))
    }

    fn refusal(arguments: &str) -> String {
        let error = read(arguments).unwrap_err();
        assert!(error.use_stderr(), "{error}");
        one_line(&error)
    }

    const FINE: &str = "--processor b=http://b:1,fee=0.15 --processor a=http://a:1,fee=0.05 \
        --redis unix:///redis.sock --nats nats://n:4222";

    #[test]
    fn processors_come_in_the_order_of_their_fees() {
        let options = read(FINE).unwrap();
        let names: Vec<_> = options
            .processors
            .iter()
            .map(|p| p.processor.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(options.admin_listen.to_string(), "tcp:127.0.0.1:0");
    }

    #[test]
    fn several_processors_fit_in_one_value() {
        let options = read(
            "--processor b=http://b:1,fee=0.15;a=http://a:1,fee=0.05 \
            --redis unix:///redis.sock --nats nats://n:4222",
        );
        assert_eq!(options.unwrap().processors.len(), 2);
    }

    #[test]
    fn a_bad_value_is_named_in_one_line() {
        for (extra, named) in [
            ("--processor c=ftp://c:1,fee=0.1", "ftp://c:1"),
            (
                "--processor a=http://c:1,fee=0.1",
                "two processors are named a",
            ),
            ("--redis nowhere", "'nowhere' for '--redis <URL>'"),
            ("--nats http://n", "'http://n' for '--nats <URL>'"),
            ("--admin-listen 80", "'80' for '--admin-listen <tcp:ADDR>'"),
            ("--nonsense", "'--nonsense'"),
        ] {
            let mut arguments = FINE.to_owned();
            if let Some((option, _)) = extra.split_once(' ') {
                // An option that takes one value may be given once.
                if !extra.starts_with("--processor") {
                    let words: Vec<_> = FINE.split_whitespace().collect();
                    let kept = words
                        .chunks(2)
                        .filter(|pair| pair[0] != option)
                        .flatten()
                        .copied();
                    arguments = kept.collect::<Vec<_>>().join(" ");
                }
            }
            let line = refusal(&format!("{arguments} {extra}"));
            assert!(line.contains(named), "{extra}: {line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn a_missing_option_is_named() {
        let line = refusal("--redis unix:///redis.sock --nats nats://n:4222");
        assert!(line.contains("--processor"), "{line}");
    }

    #[test]
    fn help_is_no_error() {
        let asked = read("--help").unwrap_err();
        assert!(!asked.use_stderr());
        assert!(asked.to_string().contains("FEEWAY_REDIS"));
    }
}
