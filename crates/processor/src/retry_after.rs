use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{DATE, RETRY_AFTER};

/// The longest wait that is respected: whoever asks for more is asked again after this.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long the answer's `Retry-After` asks us to wait, if it says so and can be read. A date
/// counts from the answer's own `Date`, because the clocks of two machines differ.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        text.parse().map_or(WAIT_MAX, Duration::from_secs)
    } else {
        let until = httpdate::parse_http_date(text).ok()?;
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let now = date.and_then(|date| httpdate::parse_http_date(date).ok());
        // A date that has passed asks for no wait at all.
        until
            .duration_since(now.unwrap_or_else(SystemTime::now))
            .unwrap_or_default()
    };
    Some(wait.min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn check(value: &str, date: Option<&str>, expected_secs: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        let expected = expected_secs.map(Duration::from_secs);
        assert_eq!(retry_after(&headers), expected, "{value} {date:?}");
    }

    #[test]
    fn seconds_are_read_and_capped() {
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("0000060", Some(60)),
            ("61", Some(60)),
            ("99999999999999999999999999", Some(60)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            check(value, None, expected);
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_date_counts_from_the_date_of_the_answer() {
        let date = Some("Tue, 15 Jul 2025 12:34:50 GMT");
        for (value, expected) in [
            ("Tue, 15 Jul 2025 12:34:56 GMT", 6),
            ("Tuesday, 15-Jul-25 12:34:56 GMT", 6),
            ("Tue, 15 Jul 2025 12:35:51 GMT", 60),
            ("Tue, 15 Jul 2025 12:34:50 GMT", 0),
            ("Tue, 15 Jul 2025 12:34:49 GMT", 0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 60),
        ] {
            check(value, date, Some(expected));
        }
        check("Tue, 15 Jul 2025 25:34:56 GMT", date, None);
    }

    #[test]
    fn without_a_date_of_its_own_the_clock_of_this_machine_counts() {
        let soon = SystemTime::now() + Duration::from_secs(30);
        for date in [None, Some("today")] {
            let mut headers = HeaderMap::new();
            let value = httpdate::fmt_http_date(soon);
            headers.insert(RETRY_AFTER, HeaderValue::from_str(&value).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let wait = retry_after(&headers).unwrap().as_secs();
            assert!((20..=30).contains(&wait), "{wait}");
        }
        check("Tue, 15 Jul 2025 12:34:56 GMT", None, Some(0));
    }
}
