use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, ValueEnum as _};
use feeway_domain::{Money, ProcessorName};
use feeway_options::between;
use feeway_processor::{
    Access, Deployment, HttpProcessor, HttpProcessorConfig, SetUpError, normal_url,
};
use feeway_store::RedisOptions;

use crate::Check;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Tests whether a payment processor keeps the contract in docs/processors.md, and says what Feeway
/// would conclude from its answers.
///
/// It posts up to six payments, repeats some of them and sends a few that must be refused. These
/// are real payments: use the test mode of the processor. The exit code is 0 when the processor
/// fits, 1 when it does not fit or a check has no result, 2 when there is no connection to it, and
/// 64 for a wrong command line.
#[derive(Clone, Debug, Parser)]
#[command(name = "feeway-certify", version, max_term_width = 100)]
pub struct Options {
    /// The processor's URL, as in --processor of a front: http://host:8001 or https://host/path.
    pub url: String,

    /// A file with the value of the authorization header, which each request carries.
    #[arg(long, value_name = "FILE")]
    pub authorization_file: Option<PathBuf>,

    /// A PEM file with the certificate authorities to trust for the processor, instead of those of
    /// this machine.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// The --deployment of the fronts: requests carry it as "Via: feeway/NAME", like those of the
    /// fronts.
    #[arg(
        long,
        env = "FEEWAY_DEPLOYMENT",
        value_name = "NAME",
        default_value = "feeway"
    )]
    pub deployment: Deployment,

    /// The amount of each payment.
    #[arg(long, value_name = "AMOUNT", default_value = "0.01")]
    pub amount: Money,

    /// How long to look for a payment that its look-up does not find.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "60s",
        value_parser = between(MS, HOUR)
    )]
    pub lag_max: Duration,

    /// The --absence-after of the fronts: a look-up must find a payment within this time.
    #[arg(
        long,
        env = "FEEWAY_ABSENCE_AFTER",
        value_name = "TIME",
        default_value = "15s",
        value_parser = between(MS, HOUR)
    )]
    pub absence_after: Duration,

    /// The --max-latency of the fronts: a processor that takes longer counts as slow.
    #[arg(
        long,
        env = "FEEWAY_MAX_LATENCY",
        value_name = "TIME",
        default_value = "1200ms",
        value_parser = between(MS, MINUTE)
    )]
    pub max_latency: Duration,

    /// The --attempt-timeout of the fronts: how long to wait for the answer to a payment.
    #[arg(
        long,
        env = "FEEWAY_ATTEMPT_TIMEOUT",
        value_name = "TIME",
        default_value = "30s",
        value_parser = between(10 * MS, 10 * MINUTE)
    )]
    pub attempt_timeout: Duration,

    /// Run only these checks; may be given several times, or separated by commas.
    #[arg(long, value_name = "CHECK", value_enum, value_delimiter = ',')]
    pub only: Vec<Check>,

    /// Print one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,

    /// Post payments without asking. Required where there is no terminal to ask at.
    #[arg(long)]
    pub yes: bool,

    /// If the look-up is sound, record that in the Redis of --redis for this processor's name and
    /// URL: fronts then believe its "not found" from the first payment on.
    #[arg(long, value_name = "NAME")]
    pub vouch: Option<ProcessorName>,

    /// The Redis of the fronts, for --vouch.
    #[command(flatten)]
    pub redis: Option<RedisOptions>,
}

impl Options {
    /// Reads and checks a command line, its program name first, and the environment.
    ///
    /// # Errors
    /// Also for `--help` and `--version`, as clap has it.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        // Other programs cannot do without Redis; this one needs it to vouch alone.
        let mut command = Self::command().mut_arg("redis", |redis| redis.required(false));
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut options =
            Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        // In the form in which the fronts keep it, by which they find what was vouched for. A
        // malformed URL is reported when the client is made.
        if let Ok(url) = normal_url(&options.url) {
            options.url = url;
        }
        let mut wrong = |what: &str| command.error(ErrorKind::ValueValidation, what);
        if options.vouch.is_some() {
            let Some(redis) = &options.redis else {
                return Err(wrong("--vouch needs --redis or FEEWAY_REDIS"));
            };
            redis.check().map_err(&mut wrong)?;
            let checks = options.checks();
            if let Some(missing) = Check::OF_THE_LOOK_UP
                .iter()
                .find(|check| !checks.contains(check))
            {
                let what = format!("--vouch needs the check {missing}, which --only leaves out");
                return Err(wrong(&what));
            }
        }
        Ok(options)
    }

    /// The checks that are asked for.
    pub(crate) fn checks(&self) -> BTreeSet<Check> {
        let all = Check::value_variants();
        let asked = if self.only.is_empty() {
            all
        } else {
            &self.only
        };
        asked.iter().copied().collect()
    }

    /// The product's client of this processor.
    pub(crate) fn processor(&self) -> Result<HttpProcessor, SetUpError> {
        let access = Access {
            authorization_file: self.authorization_file.clone(),
            ca_file: self.ca_file.clone(),
        };
        let config = HttpProcessorConfig {
            max_connections: 4,
            // Nobody waits for it but who certifies.
            connect_timeout: 5 * SECOND,
            attempt_timeout: self.attempt_timeout,
            deployment: Some(self.deployment.clone()),
            ..HttpProcessorConfig::default()
        };
        HttpProcessor::with_access(&self.url, &access, config)
    }
}

#[cfg(test)]
mod tests {
    use feeway_options::one_line;

    use super::*;

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["feeway-certify"].iter().chain(arguments);
        Options::read(arguments.map(OsString::from)).map_err(|error| one_line(&error))
    }

    #[test]
    fn with_only_a_url_every_check_runs() {
        Options::command().debug_assert();
        let options = read(&["HTTP://LocalHost:8001/"]).unwrap();
        assert_eq!(options.url, "http://localhost:8001");
        assert_eq!(options.amount.cents(), 1);
        assert_eq!(options.checks().len(), Check::value_variants().len());
        let some = read(&["http://a", "--only", "lag,health", "--only=post"]).unwrap();
        let expected = [Check::Post, Check::Lag, Check::Health];
        assert_eq!(some.checks(), expected.into());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let redis = "--redis=unix:///run/redis.sock";
        for (arguments, expected) in [
            (&[][..], "<URL>"),
            (&["http://a", "--amount=0"], "--amount"),
            (&["http://a", "--only=admin"], "admin"),
            (&["http://a", "--lag-max=60"], "--lag-max"),
            (
                &["http://a", "--vouch=default", redis, "--only=lag"],
                "--vouch needs the check unknown",
            ),
            (&["http://a", "--vouch=Default", redis], "--vouch"),
        ] {
            let said = read(arguments).unwrap_err();
            assert!(said.contains(expected) && !said.contains('\n'), "{said}");
        }
        read(&["http://a", "--vouch=default", redis]).unwrap();
        if std::env::var_os("FEEWAY_REDIS").is_none() {
            let said = read(&["http://a", "--vouch=default"]).unwrap_err();
            assert!(said.contains("--redis"), "{said}");
        }
    }
}
