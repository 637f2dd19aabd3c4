//! The queries of the summary and of the listing.

use feeway_domain::{Listed, MAX_PAGE, RequestedAt, Window};
use feeway_front::fuzzing;

use crate::oracle;

const DEFAULT_LIMIT: usize = 100;

/// Panics on a finding.
pub fn check(bytes: &[u8]) {
    let Ok(query) = std::str::from_utf8(bytes) else {
        return;
    };
    let window = fuzzing::window(query);
    let read = window.as_ref().ok().copied();
    let from_and_to = (once(query, "from"), once(query, "to"));
    let expected = expected_window(&from_and_to);
    let of_summary = expected.filter(|_| knows(query, &["from", "to"]));
    assert_eq!(read, of_summary, "{window:?}");
    check_listing(query, expected);
}

/// Whether every parameter has one of these names.
fn knows(query: &str, names: &[&str]) -> bool {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut found = parameters.map(|parameter| decoded(parameter.split('=').next().unwrap_or("")));
    found.all(|found| names.iter().any(|name| found == name.as_bytes()))
}

fn check_listing(query: &str, window: Option<Window>) {
    let known = ["status", "from", "to", "after", "limit"];
    let window = window.filter(|_| knows(query, &known));
    let Ok(listing) = fuzzing::listing(query) else {
        // The usual query is never refused.
        let none = [
            once(query, "status"),
            once(query, "after"),
            once(query, "limit"),
        ];
        let plain = none.iter().all(|value| *value == Some(None));
        assert!(!plain || window.is_none(), "refused");
        return;
    };
    assert_eq!(Some(listing.window), window);
    let limit = once(query, "limit").expect("at most one");
    let limit = limit.map_or(Some(DEFAULT_LIMIT), |text| text.parse().ok());
    assert_eq!(limit, Some(listing.limit));
    assert!((1..=MAX_PAGE).contains(&listing.limit));
    let status = once(query, "status").expect("at most one");
    assert_eq!(listed(status.as_deref()), Some(listing.listed));
    match &listing.after {
        None => assert_eq!(once(query, "after"), Some(None)),
        Some(cursor) => {
            let written = fuzzing::cursor(listing.listed, cursor);
            let status = status.unwrap_or_else(|| "settled".to_owned());
            let again = fuzzing::listing(&format!("status={status}&after={written}"));
            let again = again.expect("a cursor of ours is taken");
            assert_eq!(again.after.as_ref(), Some(cursor), "{written}");
        }
    }
}

fn listed(status: Option<&str>) -> Option<Listed> {
    match status {
        None | Some("settled") => Some(Listed::Settled),
        Some("open") => Some(Listed::Open),
        Some("pinned") => Some(Listed::Pinned),
        Some("rejected") => Some(Listed::Rejected),
        Some("conflict") => Some(Listed::Conflict),
        Some(_) => None,
    }
}

/// Nothing when the name is there more than once.
type Once = Option<Option<String>>;

fn expected_window((from, to): &(Once, Once)) -> Option<Window> {
    let edge = |value: &Once| match value {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => {
            let micros = oracle::micros(text, 6)?;
            RequestedAt::from_micros(micros).map(Some)
        }
    };
    Window::new(edge(from)?, edge(to)?).ok()
}

fn once(query: &str, name: &str) -> Once {
    let mut values = query.split('&').filter_map(|parameter| {
        let mut parts = parameter.splitn(2, '=');
        let found = decoded(parts.next().unwrap_or_default());
        let value = decoded(parts.next().unwrap_or_default());
        (found == name.as_bytes()).then(|| String::from_utf8_lossy(&value).into_owned())
    });
    let value = values.next();
    values.next().is_none().then_some(value)
}

fn decoded(text: &str) -> Vec<u8> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten();
        let code = code.filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        if let Some(code) = code {
            out.push(u8::from_str_radix(code, 16).expect("two hexadecimal digits"));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
