use std::ffi::OsString;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};
use feeway_domain::ProcessorName;
use feeway_health::NatsOptions;
use feeway_options::between;
use feeway_process::LogOptions;
use feeway_processor::{Deployment, ProcessorOption, order_processors, processor_parser};
use feeway_store::RedisConfig;
use feeway_store::RedisOptions;

use crate::listen_address::ListenAddress;

mod modes;
mod parts;

pub use modes::{DispatchOption, IntakeOption};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Accepts payments over HTTP, writes each into a journal before it answers 202, and sends it to
/// the cheapest payment processor that works.
///
/// Every option can also be set by an environment variable; the command line takes precedence.
/// Durations are a whole number with a unit: ms, s, m, h or d.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-front", version, max_term_width = 100)]
pub struct Config {
    /// This front's name: 1 to 32 characters of a-z, 0-9 and -. Fronts that share a Redis need
    /// different names.
    #[arg(long, env = "FEEWAY_NAME", default_value = "front-1", value_parser = front_name)]
    pub name: String,

    /// The name of the installation, the same for all its fronts: 1 to 24 characters of a-z, 0-9
    /// and -. Attempts carry it as "Via: feeway/NAME". A payment that comes back with it is
    /// answered with 508, so that it cannot go round in circles.
    #[arg(
        long,
        env = "FEEWAY_DEPLOYMENT",
        value_name = "NAME",
        default_value = "feeway"
    )]
    pub deployment: Deployment,

    /// The address to accept payments on: tcp:IP:PORT or unix:PATH. May be given several times; in
    /// the variable separate them with ";". A Unix socket is created with mode 0666; a leftover
    /// socket that nobody listens on is replaced.
    #[arg(
        long,
        env = "FEEWAY_LISTEN",
        value_name = "ADDRESS",
        value_delimiter = ';',
        default_value = "tcp:127.0.0.1:8080"
    )]
    pub listen: Vec<ListenAddress>,

    /// The address for /healthz, /readyz and /metrics, for operators only, in the form of --listen.
    /// Port 0 chooses a free port, which is logged.
    #[arg(
        long,
        env = "FEEWAY_ADMIN_LISTEN",
        value_name = "ADDRESS",
        value_delimiter = ';',
        default_value = "tcp:127.0.0.1:0"
    )]
    pub admin_listen: Vec<ListenAddress>,

    /// A payment processor: its name in the summary, its URL, and the share of an amount that it
    /// keeps, such as default=http://localhost:8001,fee=0.05. Give 1 to 8 of them; in the variable
    /// separate them with ";". The cheapest is tried first. Optional parts follow after commas:
    /// authorization-file=PATH, a file with the value of the authorization header, which is re-read
    /// at run time; ca-file=PATH, a PEM file with the certificate authorities to trust instead of
    /// those of this machine; declines=final, if the processor's operator guarantees that it stores
    /// nothing when it answers 400, 402 or 410, so that the payment goes on at once.
    #[arg(
        long = "processor",
        env = "FEEWAY_PROCESSORS",
        hide_env_values = true,
        value_name = "NAME=URL,fee=SHARE",
        value_delimiter = ';',
        value_parser = processor_parser(),
        required = true
    )]
    pub processors: Vec<ProcessorOption>,

    /// The name of a processor whose URL has changed, if its operator vouches that the same ledger
    /// is behind both URLs. May be given several times; in the variable separate them with ";".
    /// Without it a front does not start while open payments may have been sent to the old URL,
    /// since they could be charged twice. Give it to every front, once.
    #[arg(long, env = "FEEWAY_MOVED", value_name = "NAME", value_delimiter = ';')]
    pub moved: Vec<ProcessorName>,

    /// Where Redis is, and the credentials for it.
    #[command(flatten)]
    pub redis: RedisOptions,

    /// Where NATS is, and the credentials for it.
    #[command(flatten)]
    pub nats: NatsOptions,

    /// When a payment is answered with 202.
    #[arg(long, env = "FEEWAY_INTAKE", value_name = "MODE", value_enum, default_value_t = IntakeOption::Durable)]
    pub intake: IntakeOption,

    /// How payments are distributed among the lanes that send them.
    #[arg(long, env = "FEEWAY_DISPATCH", value_name = "MODE", value_enum, default_value_t = DispatchOption::RoundRobin)]
    pub dispatch: DispatchOption,

    /// How long a payment waits for a failing processor before it goes to a more expensive one; 0s
    /// to 1d.
    #[arg(
        long,
        env = "FEEWAY_PATIENCE",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = between(Duration::ZERO, DAY)
    )]
    pub patience: Duration,

    /// A processor that is expected to take longer counts as slow, and payments go to the next one
    /// at once; 1ms to 5m.
    #[arg(
        long,
        env = "FEEWAY_MAX_LATENCY",
        value_name = "DURATION",
        default_value = "1200ms",
        value_parser = between(MS, MINUTE * 5)
    )]
    pub max_latency: Duration,

    /// How often a failing or slow processor gets one real payment, to see whether it has
    /// recovered; 10ms to 1m.
    #[arg(
        long,
        env = "FEEWAY_PROBE_INTERVAL",
        value_name = "DURATION",
        default_value = "200ms",
        value_parser = between(MS * 10, MINUTE)
    )]
    pub probe_interval: Duration,

    /// When a processor works again, the payments that waited for it are sent over this time, but
    /// at least 500 a second and twice the rate of new payments. 0s sends them as fast as possible;
    /// 0s to 1m.
    #[arg(
        long,
        env = "FEEWAY_CATCH_UP",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub catch_up: Duration,

    /// The most attempts in flight at each processor, 1 to 4096. Each of them uses one connection.
    #[arg(
        long,
        env = "FEEWAY_MAX_IN_FLIGHT",
        value_name = "ATTEMPTS",
        default_value_t = 256,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096)
    )]
    pub max_in_flight: usize,

    /// How long an attempt waits for its answer. After that its outcome is unknown, and the payment
    /// stays with that processor; 100ms to 5m.
    #[arg(
        long,
        env = "FEEWAY_ATTEMPT_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = between(MS * 100, MINUTE * 5)
    )]
    pub attempt_timeout: Duration,

    /// "Not found" proves that a processor does not hold a payment only in a look-up that is sent
    /// at least this long after the last attempt was answered. It must be longer than the
    /// processor's look-ups can lag behind; 1s to 10m.
    #[arg(
        long,
        env = "FEEWAY_ABSENCE_AFTER",
        value_name = "DURATION",
        default_value = "15s",
        value_parser = between(MS * 1000, MINUTE * 10)
    )]
    pub absence_after: Duration,

    /// How far a processor's clock may be off. The time that a look-up reports for a payment is
    /// believed if it is at most this long before the payment's acceptance or after now. Otherwise
    /// the processor is asked once more, and then the payment is booked at the time of the attempt.
    /// Also how far this machine's clock may be from Redis's before payments are stamped by Redis's
    /// clock; 0s to 1m.
    #[arg(
        long,
        env = "FEEWAY_CLOCK_SLIP",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = between(Duration::ZERO, MINUTE)
    )]
    pub clock_slip: Duration,

    /// The most payments that may be open at once in the whole stack; the next one is answered with
    /// 503, and a million take about 350 MB of Redis.
    #[arg(
        long,
        env = "FEEWAY_MAX_OPEN",
        value_name = "PAYMENTS",
        default_value_t = RedisConfig::MAX_OPEN,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000)
    )]
    pub max_open: u64,

    /// How long the ledger keeps a settled payment, for the summary and to recognize the same id;
    /// 1h to 3650d.
    #[arg(
        long,
        env = "FEEWAY_RETENTION",
        value_name = "DURATION",
        default_value = "7d",
        value_parser = between(HOUR, DAY * 3650)
    )]
    pub retention: Duration,

    /// Allows POST /purge-payments to empty the ledger. For tests only: it deletes what was
    /// charged.
    #[arg(long, env = "FEEWAY_ALLOW_PURGE")]
    pub allow_purge: bool,

    /// Accepts payments even if a setting of Redis is unsafe, such as no append-only file or an
    /// eviction policy, and logs an error once a minute. Without it the front accepts nothing until
    /// the setting is right.
    #[arg(long, env = "FEEWAY_TRUST_STORE")]
    pub trust_store: bool,

    /// What is logged.
    #[command(flatten)]
    pub log: LogOptions,
}

impl Config {
    /// Reads and checks a command line, its program name first, and the environment.
    ///
    /// # Errors
    /// Also for `--help` and `--version`, as clap has it.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut config = Self::try_parse_from(arguments)?;
        let processors = std::mem::take(&mut config.processors);
        config.processors = order_processors(processors).map_err(|error| {
            Self::command().error(
                ErrorKind::ValueValidation,
                format!("invalid value for '--processor': {error}"),
            )
        })?;
        let checked = config.redis.check().and_then(|()| config.nats.check());
        checked.map_err(|why| Self::command().error(ErrorKind::ArgumentConflict, why))?;
        config.check_moved()?;
        Ok(config)
    }

    /// An unknown name in --moved is most likely a typing mistake.
    fn check_moved(&self) -> Result<(), clap::Error> {
        let known = self.processor_names();
        let Some(unknown) = self.moved.iter().find(|name| !known.contains(name)) else {
            return Ok(());
        };
        let why =
            format!("invalid value '{unknown}' for '--moved <NAME>': no --processor has this name");
        Err(Self::command().error(ErrorKind::ValueValidation, why))
    }
}

fn front_name(text: &str) -> Result<String, &'static str> {
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 32 characters of a-z, 0-9 and -")
    }
}

#[cfg(test)]
mod tests {
    use feeway_domain::CLOCK_SLIP;
    use feeway_options::one_line;

    use super::*;

    const REDIS: &str = "--redis=unix:///run/redis.sock";
    const NATS: &str = "--nats=nats://127.0.0.1:4222";
    const PROCESSOR: &str = "--processor=default=http://localhost:8001,fee=0.05";

    fn read(arguments: &[&str]) -> Result<Config, String> {
        let always = ["feeway-front", REDIS, NATS];
        let arguments = always.iter().chain(arguments).map(OsString::from);
        Config::read(arguments).map_err(|error| one_line(&error))
    }

    fn check_refused(arguments: &[&str], expected: &str) {
        let refusal = read(arguments).expect_err(&format!("{arguments:?} is refused"));
        assert!(!refusal.contains('\n'));
        assert!(refusal.contains(expected), "{refusal}");
    }

    #[test]
    fn the_command_is_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_manual() {
        let config = read(&[PROCESSOR]).unwrap();
        assert_eq!(config.patience, Duration::from_secs(60));
        assert_eq!(config.max_latency, Duration::from_millis(1200));
        assert_eq!(config.probe_interval, Duration::from_millis(200));
        assert_eq!(config.catch_up, Duration::from_secs(1));
        assert_eq!(config.max_in_flight, 256);
        assert_eq!(config.attempt_timeout, Duration::from_secs(30));
        assert_eq!(config.absence_after, Duration::from_secs(15));
        assert_eq!(config.clock_slip, CLOCK_SLIP);
        assert_eq!(config.deployment.as_str(), "feeway");
        assert_eq!(config.max_open, 2_000_000);
        assert_eq!(config.retention, DAY * 7);
        assert_eq!(config.intake, IntakeOption::Durable);
        assert_eq!(config.dispatch, DispatchOption::RoundRobin);
        assert!(!config.allow_purge);
        assert_eq!(config.admin_listen, ["tcp:127.0.0.1:0".parse().unwrap()]);
    }

    #[test]
    fn lists_are_repeated_or_separated() {
        let config = read(&[
            "--listen=tcp:127.0.0.1:1;unix:/run/a.sock",
            "--listen=unix:/run/b.sock",
            "--processor=b=http://b:1,fee=0.15;a=http://a:1,fee=0.05",
        ])
        .unwrap();
        assert_eq!(config.listen.len(), 3);
        let names: Vec<_> = config
            .processors
            .iter()
            .map(|p| p.processor.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"], "the cheapest first");
    }

    #[test]
    fn a_bad_value_is_named_in_one_line() {
        check_refused(&[], "--processor");
        check_refused(&["--processor=x"], "is not of the form NAME=URL,fee=0.05");
        check_refused(&[PROCESSOR, PROCESSOR], "two processors are named default");
        for (argument, reason) in [
            (
                "--patience=60",
                "'60' for '--patience <DURATION>': must be a whole number with a unit",
            ),
            ("--patience=2d", "must be between 0s and 1d"),
            (
                "--listen=8080",
                "'8080' for '--listen <ADDRESS>': must be tcp:IP:PORT or unix:PATH",
            ),
            (
                "--name=Front",
                "must be 1 to 32 characters of a-z, 0-9 and -",
            ),
            (
                "--deployment=EU",
                "must be 1 to 24 characters of a-z, 0-9 and -",
            ),
            ("--absence-after=999ms", "must be between 1s and 10m"),
            ("--absence-after=11m", "must be between 1s and 10m"),
            ("--clock-slip=61s", "must be between 0s and 1m"),
            ("--max-in-flight=0", "0 is not in 1..=4096"),
            (
                "--admin-listen=unix:",
                "the path of a socket must have 1 to 107 bytes",
            ),
            ("--max-open=x", "invalid digit"),
            ("--intake=fast", "'fast' for '--intake <MODE>'"),
            ("--log=info,=", "'info,=' for '--log <FILTER>'"),
            ("--no-such-option", "--no-such-option"),
            ("--moved=Default", "'Default' for '--moved <NAME>'"),
            (
                "--moved=default;other",
                "'other' for '--moved <NAME>': no --processor has this name",
            ),
        ] {
            check_refused(&[PROCESSOR, argument], reason);
        }
    }

    #[test]
    fn help_tells_what_memory_intake_risks() {
        let help = Config::command().render_long_help().to_string();
        assert!(help.contains("LOSES"), "{help}");
        assert!(help.contains("FEEWAY_PROBE_INTERVAL"), "{help}");
    }
}
