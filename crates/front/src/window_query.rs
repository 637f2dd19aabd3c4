//! Reads the stretch of time that a summary is asked for: `?from=…&to=…`.

use feeway_domain::{RequestedAt, Window, WindowError};
use percent_encoding::percent_decode_str;

/// Why a query is not a window. The text is the detail that the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WindowQueryError {
    #[error("{0} appears more than once")]
    Repeated(&'static str),
    #[error(
        "{0} must be an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals"
    )]
    NotAnInstant(&'static str),
    #[error("from must not lie after to")]
    Reversed,
}

/// The window of a query; what the query leaves out is open. Other parameters are ignored.
///
/// A `+` stands for itself, as the RFC of URIs has it: turning it into the space of HTML
/// forms could only turn one thing that is no instant into another.
pub(crate) fn parse(query: Option<&str>) -> Result<Window, WindowQueryError> {
    let mut from = None;
    let mut to = None;
    for parameter in query.unwrap_or_default().split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (edge, name) = if percent_decode_str(name).eq(*b"from") {
            (&mut from, "from")
        } else if percent_decode_str(name).eq(*b"to") {
            (&mut to, "to")
        } else {
            continue;
        };
        if edge.replace(instant(name, value)?).is_some() {
            return Err(WindowQueryError::Repeated(name));
        }
    }
    Window::new(from, to).map_err(|WindowError| WindowQueryError::Reversed)
}

fn instant(name: &'static str, value: &str) -> Result<RequestedAt, WindowQueryError> {
    let refused = WindowQueryError::NotAnInstant(name);
    let text = percent_decode_str(value).decode_utf8().or(Err(refused))?;
    text.parse().or(Err(refused))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JULY: &str = "2025-07-15T12:34:56.000Z";

    fn check(query: &str, expected: Result<(Option<&str>, Option<&str>), &str>) {
        let instant = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let expected = expected
            .map(|(from, to)| Window::new(instant(from), instant(to)).unwrap())
            .map_err(str::to_owned);
        let read = parse(Some(query)).map_err(|error| error.to_string());
        assert_eq!(read, expected, "{query}");
    }

    #[test]
    fn edges_are_optional_and_inclusive() {
        assert_eq!(parse(None), Ok(Window::default()));
        check("", Ok((None, None)));
        check(&format!("from={JULY}"), Ok((Some(JULY), None)));
        check(&format!("to={JULY}"), Ok((None, Some(JULY))));
        check(
            &format!("to={JULY}&from={JULY}"),
            Ok((Some(JULY), Some(JULY))),
        );
        check(&format!("from={JULY}&"), Ok((Some(JULY), None)));
    }

    #[test]
    fn percent_encoding_is_undone() {
        check("from=2025-07-15T12%3A34%3a56.000Z", Ok((Some(JULY), None)));
        check(&format!("fr%6Fm={JULY}"), Ok((Some(JULY), None)));
    }

    #[test]
    fn other_parameters_are_ignored() {
        check(
            &format!("x&=&x=1&x=%zz&From=1&from={JULY}&to1=2"),
            Ok((Some(JULY), None)),
        );
    }

    #[test]
    fn malformed_edges_are_refused_by_name() {
        let what = "must be an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals";
        for value in [
            "",
            "=",
            "2025-07-15",
            "2025-07-15T12:34:56",
            "2025-07-15T12:34:56+00:00",
            "2025-07-15+12:34:56Z",
            "2025-07-15T12:34:56.1234567Z",
            "%zz",
            "%ff",
            "now",
            "2025-07-15T12%3534:56Z",
        ] {
            check(&format!("from={value}"), Err(&format!("from {what}")));
            check(&format!("to={value}"), Err(&format!("to {what}")));
        }
        check("from", Err(&format!("from {what}")));
    }

    #[test]
    fn contradictions_are_refused() {
        check(
            &format!("from={JULY}&from={JULY}"),
            Err("from appears more than once"),
        );
        check(
            &format!("to={JULY}&t%6f={JULY}"),
            Err("to appears more than once"),
        );
        check(
            &format!("from={JULY}&to=2025-07-15T12:34:55.999999Z"),
            Err("from must not lie after to"),
        );
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "(from|to|[%&=0-9TZ:.a-f+-]){0,30}") {
            if let Ok(window) = parse(Some(&query)) {
                prop_assert!(window.from().is_none() || window.to().is_none() || window.from() <= window.to());
            }
        }
    }
}
