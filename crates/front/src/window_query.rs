//! Reads the stretch of time that a summary is asked for: `?from=…&to=…`.

use feeway_domain::{Window, WindowError};

use crate::query::{self, QueryError};

/// The window of a query; what the query leaves out is open.
pub(crate) fn parse(query: Option<&str>) -> Result<Window, QueryError> {
    let [from, to] = query::read(query, &["from", "to"])?;
    window(from, to)
}

/// The window between two values.
pub(crate) fn window(from: Option<String>, to: Option<String>) -> Result<Window, QueryError> {
    let (from, to) = (query::instant("from", from)?, query::instant("to", to)?);
    Window::new(from, to).map_err(|WindowError| QueryError::Reversed)
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
    fn other_parameters_are_refused() {
        for name in ["From", "to1", "x", "fro%6D%20", ""] {
            let refused = parse(Some(&format!("from={JULY}&{name}=1"))).unwrap_err();
            let refused = refused.to_string();
            assert!(refused.ends_with("allowed: from and to"), "{refused}");
        }
        check(&format!("&from={JULY}&&"), Ok((Some(JULY), None)));
    }

    #[test]
    fn malformed_edges_are_refused_by_name() {
        let what =
            "is not an instant such as 2025-07-15T12:34:56.000Z, in UTC, with at most six decimals";
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
    fn edges_of_the_right_form_are_refused_for_what_is_wrong_with_them() {
        let range = "is not between 1970-01-01T00:00:00Z and 9999-12-30T21:59:59.999999Z";
        let none = "is a date or a time of day that does not exist";
        for (value, what) in [
            ("1969-12-31T23:59:59.999999Z", range),
            ("0000-01-01T00:00:00Z", range),
            ("9999-12-30T22:00:00Z", range),
            ("9999-12-31T23:59:59Z", range),
            ("2025-13-01T00:00:00Z", none),
            ("2025-02-29T00:00:00Z", none),
            ("2025-07-15T24:00:00Z", none),
            ("2025-06-30T23:59:60Z", none),
        ] {
            check(&format!("from={value}"), Err(&format!("from {what}")));
            check(&format!("to={value}"), Err(&format!("to {what}")));
        }
    }

    #[test]
    fn repeated_or_reversed_edges_are_refused() {
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
            Err("from must not be later than to"),
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
