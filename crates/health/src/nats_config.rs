use std::path::PathBuf;

use async_nats::ConnectOptions;
use feeway_domain::Secret;

use crate::NatsUrl;

/// Where NATS is, and the credentials for it.
#[derive(Clone, Debug)]
pub struct NatsConfig {
    /// Where NATS is.
    pub url: NatsUrl,
    /// Who we are; if nobody, then whom the URL names.
    pub credentials: NatsCredentials,
    /// Holds, as PEM, who may vouch for NATS, instead of the machine's authorities. With it
    /// there is no connection without TLS.
    pub ca_file: Option<PathBuf>,
}

/// Who we are to NATS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NatsCredentials {
    /// Nobody in particular.
    #[default]
    None,
    /// A user with a password.
    User {
        /// The user's name.
        user: String,
        /// The user's password.
        password: Secret,
    },
    /// Whoever knows the token.
    Token(Secret),
    /// The content of a `.creds` file: a signed name (JWT) and the key that goes with it.
    Creds(Secret),
}

/// The text is not the content of a `.creds` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not hold the credentials of a NATS user")]
pub struct NatsCredsError;

impl NatsCredentials {
    /// Takes the content of a `.creds` file.
    pub fn from_creds(content: Secret) -> Result<Self, NatsCredsError> {
        // Without an end of its last line the client does not see that line, and files may
        // end without one.
        let content = Secret::new(&format!("{}\n", content.expose()));
        let read = ConnectOptions::with_credentials(content.expose());
        read.or(Err(NatsCredsError))?;
        Ok(Self::Creds(content))
    }
}

impl From<&NatsUrl> for NatsConfig {
    fn from(url: &NatsUrl) -> Self {
        Self {
            url: url.clone(),
            credentials: NatsCredentials::None,
            ca_file: None,
        }
    }
}

impl NatsConfig {
    /// Lets the client say who we are, and check who NATS is.
    pub(crate) fn identify(
        &self,
        options: ConnectOptions,
    ) -> Result<ConnectOptions, NatsCredsError> {
        let credentials = match &self.credentials {
            NatsCredentials::None => self.url.credentials(),
            given @ (NatsCredentials::User { .. }
            | NatsCredentials::Token(_)
            | NatsCredentials::Creds(_)) => given,
        };
        let options = match credentials {
            NatsCredentials::None => options,
            NatsCredentials::User { user, password } => {
                options.user_and_password(user.clone(), password.expose().to_owned())
            }
            NatsCredentials::Token(token) => options.token(token.expose().to_owned()),
            NatsCredentials::Creds(content) => options
                .credentials(content.expose())
                .or(Err(NatsCredsError))?,
        };
        Ok(match &self.ca_file {
            None => options,
            Some(file) => options
                .add_root_certificates(file.clone())
                .require_tls(true),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDS: &str = "-----BEGIN NATS USER JWT-----
eyJ0eXAiOiJqd3QifQ.e30.c2ln
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY
------END USER NKEY SEED------
";

    #[test]
    fn the_content_of_a_creds_file_is_checked_and_not_printed() {
        for content in [CREDS, CREDS.trim_end()] {
            let creds = NatsCredentials::from_creds(Secret::new(content)).unwrap();
            assert_eq!(format!("{creds:?}"), "Creds((secret))");
        }
        for wrong in ["", "SUANQDPB", "-----BEGIN NATS USER JWT-----"] {
            let read = NatsCredentials::from_creds(Secret::new(wrong));
            assert_eq!(read, Err(NatsCredsError), "{wrong}");
        }
    }
}
