//! Reads the parameters of a query, each at most once.

use feeway_domain::RequestedAt;
use percent_encoding::percent_decode_str;

/// Why a query is not understood. The text is the detail that the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    #[error(
        "{0} must be an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals"
    )]
    NotAnInstant(&'static str),
    #[error("from must not lie after to")]
    Reversed,
    #[error("status must be one of settled, open, pinned, rejected and conflict")]
    NoSuchStatus,
    #[error("limit must be a whole number from 1 to 1000")]
    NotALimit,
    #[error("after must be the next of a page of the same status, as it was given")]
    NotACursor,
}

/// Reads the values of the named parameters. Others are ignored.
///
/// A `+` stands for itself, as the RFC of URIs has it: turning it into the space of HTML
/// forms could only turn one thing that is no value into another. What is not UTF-8 comes
/// out as a letter that no value has.
pub(crate) fn read<const N: usize>(
    query: Option<&str>,
    names: [&'static str; N],
) -> Result<[Option<String>; N], QueryError> {
    let mut values = [const { None }; N];
    for parameter in query.unwrap_or_default().split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let named = |known: &&'static str| percent_decode_str(name).eq(known.bytes());
        let Some(at) = names.iter().position(named) else {
            continue;
        };
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        if values[at].replace(value).is_some() {
            return Err(QueryError::Repeated(names[at]));
        }
    }
    Ok(values)
}

pub(crate) fn instant(
    name: &'static str,
    value: Option<String>,
) -> Result<Option<RequestedAt>, QueryError> {
    let parsed = value.map(|text| text.parse().or(Err(QueryError::NotAnInstant(name))));
    parsed.transpose()
}
