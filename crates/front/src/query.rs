//! Reads the parameters of a query, each at most once.

use feeway_domain::{RequestedAt, RequestedAtError};
use percent_encoding::percent_decode_str;

/// How many letters of an unknown parameter's name are quoted.
const QUOTED_LEN_MAX: usize = 40;

/// Why a query is not understood. The text is the detail that the client reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("unknown parameter \"{name}\"; allowed: {}", listed(.known))]
    Unknown {
        name: String,
        known: &'static [&'static str],
    },
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    #[error("{0} is {1}")]
    NotAnInstant(&'static str, RequestedAtError),
    #[error("from must not be later than to")]
    Reversed,
    #[error("status must be one of settled, open, pinned, rejected and conflict")]
    NoSuchStatus,
    #[error("limit must be a whole number from 1 to 1000")]
    NotALimit,
    #[error("after must be the unchanged next of a page of the same status")]
    NotACursor,
}

/// Reads the values of the named parameters. Any other is refused: a name that is misspelt
/// would else be an answer to another question, such as the total of all time.
///
/// A `+` stands for itself, as the RFC of URIs has it: turning it into the space of HTML
/// forms could only turn one thing that is no value into another. What is not UTF-8 comes
/// out as a letter that no value has.
pub(crate) fn read<const N: usize>(
    query: Option<&str>,
    names: &'static [&'static str; N],
) -> Result<[Option<String>; N], QueryError> {
    let mut values = [const { None }; N];
    let parameters = query.unwrap_or_default().split('&');
    for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let named = |known: &&'static str| percent_decode_str(name).eq(known.bytes());
        let Some(at) = names.iter().position(named) else {
            return Err(unknown(name, names));
        };
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        if values[at].replace(value).is_some() {
            return Err(QueryError::Repeated(names[at]));
        }
    }
    Ok(values)
}

/// Refuses whatever parameter there is.
pub(crate) fn none(query: Option<&str>) -> Result<(), QueryError> {
    read(query, &[]).map(|[]| ())
}

pub(crate) fn instant(
    name: &'static str,
    value: Option<String>,
) -> Result<Option<RequestedAt>, QueryError> {
    let refusal = |error| QueryError::NotAnInstant(name, error);
    let parsed = value.map(|text| text.parse().map_err(refusal));
    parsed.transpose()
}

fn unknown(name: &str, known: &'static [&'static str]) -> QueryError {
    let decoded = percent_decode_str(name).decode_utf8_lossy();
    let mut quoted: String = decoded.chars().take(QUOTED_LEN_MAX).collect();
    if quoted.len() < decoded.len() {
        quoted.push('…');
    }
    QueryError::Unknown {
        name: quoted,
        known,
    }
}

/// Which parameters there are instead.
fn listed(known: &[&str]) -> String {
    match known {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: &str) {
        let read = read(Some(query), &["status", "from", "to"]);
        let error = read.expect_err(query);
        assert_eq!(error.to_string(), expected, "{query}");
    }

    #[test]
    fn a_parameter_that_is_not_known_is_refused_with_those_that_are() {
        let known = "status, from and to";
        for (query, name) in [
            ("From=1", "From"),
            ("to=1&x", "x"),
            ("x=1&x=2", "x"),
            ("%78=1", "x"),
            ("=1", ""),
            ("=", ""),
            ("%ff", "\u{fffd}"),
            ("from%00", "from\0"),
        ] {
            check(
                query,
                &format!("unknown parameter \"{name}\"; allowed: {known}"),
            );
        }
        let long = "ä".repeat(1_000);
        let quoted = "ä".repeat(40);
        check(
            &long,
            &format!("unknown parameter \"{quoted}…\"; allowed: {known}"),
        );
        check("to=1&t%6f=2", "to appears more than once");
    }

    #[test]
    fn a_request_that_takes_no_parameters_says_so() {
        for query in [None, Some(""), Some("&"), Some("&&")] {
            assert_eq!(none(query), Ok(()), "{query:?}");
        }
        let error = none(Some("verbose")).expect_err("it is a parameter");
        let expected = "unknown parameter \"verbose\"; allowed: none";
        assert_eq!(error.to_string(), expected);
    }
}
