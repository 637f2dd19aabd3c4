use clap::Args;
use feeway_domain::Secret;
use feeway_options::{CaFile, Discreet, read_ca_file, read_secret, secret_of_variable};

use crate::nats_config::{NatsConfig, NatsCredentials};
use crate::nats_url::NatsUrl;

const PASSWORD_VARIABLE: &str = "FEEWAY_NATS_PASSWORD";
const TOKEN_VARIABLE: &str = "FEEWAY_NATS_TOKEN";

/// Where NATS is, and the credentials for it.
#[derive(Clone, Debug, Args)]
pub struct NatsOptions {
    /// The URL of the NATS that carries the processors' health: nats://host:4222, or
    /// tls://host:4222 to require TLS.
    #[arg(
        id = "nats",
        long = "nats",
        env = "FEEWAY_NATS",
        value_name = "URL",
        hide_env_values = true,
        value_parser = Discreet::new(str::parse::<NatsUrl>)
    )]
    url: NatsUrl,

    /// The user of the password for NATS.
    #[arg(
        id = "nats-user",
        long = "nats-user",
        env = "FEEWAY_NATS_USER",
        value_name = "NAME"
    )]
    user: Option<String>,

    /// A file with the password for NATS. Alternatively, FEEWAY_NATS_PASSWORD holds the password
    /// itself. This file and the next two are read at the start.
    #[arg(
        id = "nats-password-file",
        long = "nats-password-file",
        env = "FEEWAY_NATS_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_secret)
    )]
    password_of_file: Option<Secret>,

    #[arg(skip = secret_of_variable(PASSWORD_VARIABLE))]
    password_of_variable: Option<Secret>,

    /// A file with a token for NATS. Alternatively, FEEWAY_NATS_TOKEN holds the token itself.
    #[arg(
        id = "nats-token-file",
        long = "nats-token-file",
        env = "FEEWAY_NATS_TOKEN_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_secret)
    )]
    token_of_file: Option<Secret>,

    #[arg(skip = secret_of_variable(TOKEN_VARIABLE))]
    token_of_variable: Option<Secret>,

    /// A .creds file for NATS, as written by nsc.
    #[arg(
        id = "nats-creds-file",
        long = "nats-creds-file",
        env = "FEEWAY_NATS_CREDS_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_creds)
    )]
    creds: Option<NatsCredentials>,

    /// A PEM file with the certificate authorities to trust for NATS, instead of those of this
    /// machine. It makes TLS mandatory.
    #[arg(
        id = "nats-ca-file",
        long = "nats-ca-file",
        env = "FEEWAY_NATS_CA_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_ca_file)
    )]
    ca_file: Option<CaFile>,
}

fn read_creds(path: &str) -> Result<NatsCredentials, String> {
    let content = read_secret(path).map_err(|error| error.to_string())?;
    NatsCredentials::from_creds(content).map_err(|error| format!("the file {error}"))
}

impl NatsOptions {
    /// What contradicts itself, in one line; to be called once, before anything else.
    pub fn check(&self) -> Result<(), &'static str> {
        let secrets = [
            &self.password_of_file,
            &self.password_of_variable,
            &self.token_of_file,
            &self.token_of_variable,
        ];
        let given = secrets.iter().filter(|given| given.is_some()).count()
            + usize::from(self.creds.is_some())
            + usize::from(*self.url.credentials() != NatsCredentials::None);
        if given > 1 {
            return Err(
                "more than one of password, token and creds file is given for NATS, in the URL of \
                 --nats, by options or in FEEWAY_NATS_PASSWORD and FEEWAY_NATS_TOKEN: give only \
                 one",
            );
        }
        if self.user.is_some() != self.password().is_some() {
            return Err(
                "--nats-user and --nats-password-file (or FEEWAY_NATS_PASSWORD) must be \
                 given together",
            );
        }
        Ok(())
    }

    /// For the report channel.
    pub fn config(&self) -> NatsConfig {
        let token = self.token_of_file.as_ref();
        let credentials = match (&self.user, self.password(), &self.creds) {
            (Some(user), Some(password), _) => NatsCredentials::User {
                user: user.clone(),
                password: password.clone(),
            },
            (_, _, Some(creds)) => creds.clone(),
            (_, _, None) => token
                .or(self.token_of_variable.as_ref())
                .map_or(NatsCredentials::None, |token| {
                    NatsCredentials::Token(token.clone())
                }),
        };
        NatsConfig {
            credentials,
            ca_file: self.ca_file.as_ref().map(|file| file.path.clone()),
            ..NatsConfig::from(&self.url)
        }
    }

    fn password(&self) -> Option<&Secret> {
        let of_file = self.password_of_file.as_ref();
        of_file.or(self.password_of_variable.as_ref())
    }
}
