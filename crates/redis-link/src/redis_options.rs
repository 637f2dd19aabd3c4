use clap::Args;
use feeway_domain::Secret;
use feeway_options::{CaFile, Discreet, read_ca_file, read_secret, secret_of_variable};

use crate::access::RedisAccess;
use crate::config::{RedisConfig, RedisUrl};

const PASSWORD_VARIABLE: &str = "FEEWAY_REDIS_PASSWORD";

/// Where Redis is, and the credentials for it.
#[derive(Clone, Debug, Args)]
pub struct RedisOptions {
    /// The URL of the Redis that holds journal, ledger and lease: unix:///path/redis.sock,
    /// redis://host:6379, or with TLS rediss://host:6379.
    #[arg(
        id = "redis",
        long = "redis",
        env = "FEEWAY_REDIS",
        value_name = "URL",
        hide_env_values = true,
        value_parser = Discreet::new(str::parse::<RedisUrl>)
    )]
    url: RedisUrl,

    /// The user of the password; the built-in user of Redis is "default".
    #[arg(
        id = "redis-user",
        long = "redis-user",
        env = "FEEWAY_REDIS_USER",
        value_name = "NAME"
    )]
    user: Option<String>,

    /// A file with the password for Redis, which is read at the start. Alternatively,
    /// FEEWAY_REDIS_PASSWORD holds the password itself.
    #[arg(
        id = "redis-password-file",
        long = "redis-password-file",
        env = "FEEWAY_REDIS_PASSWORD_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_secret)
    )]
    password_of_file: Option<Secret>,

    #[arg(skip = secret_of_variable(PASSWORD_VARIABLE))]
    password_of_variable: Option<Secret>,

    /// A PEM file with the certificate authorities to trust for Redis, instead of those of this
    /// machine.
    #[arg(
        id = "redis-ca-file",
        long = "redis-ca-file",
        env = "FEEWAY_REDIS_CA_FILE",
        value_name = "FILE",
        value_parser = Discreet::new(read_ca_file)
    )]
    ca_file: Option<CaFile>,
}

impl RedisOptions {
    /// What contradicts itself, in one line; to be called once, before anything else.
    pub fn check(&self) -> Result<(), &'static str> {
        let passwords = [&self.password_of_file, &self.password_of_variable];
        let given = passwords.iter().filter(|given| given.is_some()).count();
        if given + usize::from(self.url.has_credentials()) > 1 {
            return Err(
                "the password for Redis is given more than once: give it only in the URL of \
                 --redis, by --redis-password-file or in FEEWAY_REDIS_PASSWORD",
            );
        }
        if self.user.is_some() && given == 0 {
            return Err("--redis-user needs --redis-password-file or FEEWAY_REDIS_PASSWORD");
        }
        if self.ca_file.is_some() && !self.url.is_tls() {
            return Err("--redis-ca-file works only with rediss://");
        }
        Ok(())
    }

    /// For the store.
    pub fn config(&self) -> RedisConfig {
        let password = self.password_of_file.as_ref();
        let authorities = self.ca_file.as_ref().map(|file| file.authorities.clone());
        RedisConfig {
            access: RedisAccess {
                user: self.user.clone(),
                password: password.or(self.password_of_variable.as_ref()).cloned(),
                authorities,
            },
            ..RedisConfig::new(self.url.clone())
        }
    }
}
