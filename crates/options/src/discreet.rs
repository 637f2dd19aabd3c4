use std::ffi::OsStr;
use std::fmt::Display;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use feeway_domain::without_credentials;

/// Reads a value that may hold a password: a refusal quotes it without.
#[derive(Clone, Copy, Debug)]
pub struct Discreet<T, E> {
    read: fn(&str) -> Result<T, E>,
}

impl<T, E> Discreet<T, E> {
    /// What reads the value; its error must not quote it.
    pub const fn new(read: fn(&str) -> Result<T, E>) -> Self {
        Self { read }
    }
}

impl<T, E> TypedValueParser for Discreet<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Display + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let refused = |shown: &str, why: &dyn Display| {
            let named = argument.map_or_else(|| "…".to_owned(), Arg::to_string);
            let text = format!("invalid value '{shown}' for '{named}': {why}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        };
        let Some(text) = value.to_str() else {
            return Err(refused("…", &"not UTF-8"));
        };
        (self.read)(text).map_err(|error| {
            // What follows a comma are a processor's further parts.
            let shown = text.split(',').next().unwrap_or_default();
            refused(&without_credentials(shown), &error)
        })
    }
}
