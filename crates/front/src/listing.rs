//! The query and the body of `GET /payments`.

use std::fmt::Write as _;

use feeway_domain::{
    Cursor, JournalTime, Line, Listed, Listing, MAX_PAGE, Money, Page, RequestedAt,
};

use crate::query::{self, QueryError};
use crate::{payment_state, window_query};

/// How many lines a page has unless asked otherwise.
const DEFAULT_LIMIT: usize = 100;

/// What is asked for: `?status=…&from=…&to=…&after=…&limit=…`.
pub(crate) fn parse(query: Option<&str>) -> Result<Listing, QueryError> {
    let names = &["status", "from", "to", "after", "limit"];
    let [status, from, to, after, limit] = query::read(query, names)?;
    let listed = match status {
        None => Listed::Settled,
        Some(status) => listed(&status).ok_or(QueryError::NoSuchStatus)?,
    };
    let after = after.map(|text| read_cursor(listed, &text).ok_or(QueryError::NotACursor));
    let limit = limit.map(|text| read_limit(&text).ok_or(QueryError::NotALimit));
    Ok(Listing {
        listed,
        window: window_query::window(from, to)?,
        after: after.transpose()?,
        limit: limit.transpose()?.unwrap_or(DEFAULT_LIMIT),
    })
}

fn read_limit(text: &str) -> Option<usize> {
    let limit = text.parse().ok()?;
    (1..=MAX_PAGE).contains(&limit).then_some(limit)
}

fn name(listed: Listed) -> &'static str {
    match listed {
        Listed::Settled => "settled",
        Listed::Open => "open",
        Listed::Pinned => "pinned",
        Listed::Rejected => "rejected",
        Listed::Conflict => "conflict",
    }
}

fn listed(text: &str) -> Option<Listed> {
    [
        Listed::Settled,
        Listed::Open,
        Listed::Pinned,
        Listed::Rejected,
        Listed::Conflict,
    ]
    .into_iter()
    .find(|&listed| name(listed) == text)
}

/// `status.micros.id.cents.processor`, the last of which may be empty: needs no escape in a
/// URL, and a person can read it.
pub(crate) fn write_cursor(listed: Listed, cursor: &Cursor) -> String {
    let (at, id) = (cursor.at.micros(), cursor.id);
    let cents = cursor.amount.cents();
    let processor = cursor.processor.as_ref().map_or("", |name| name.as_str());
    format!("{}.{at}.{id}.{cents}.{processor}", name(listed))
}

fn read_cursor(listed: Listed, text: &str) -> Option<Cursor> {
    let mut parts = text.split('.');
    if parts.next()? != name(listed) {
        return None;
    }
    // The bounds of what is ever listed.
    let at = RequestedAt::from_micros(parts.next()?.parse().ok()?)?;
    let cursor = Cursor {
        at: JournalTime::from_micros(at.micros()),
        id: parts.next()?.parse().ok()?,
        amount: Money::from_cents(parts.next()?.parse().ok()?)?,
        processor: match parts.next()? {
            "" => None,
            name => Some(name.parse().ok()?),
        },
    };
    let of_ledger = matches!(listed, Listed::Settled | Listed::Conflict);
    let complete = cursor.processor.is_some() || !of_ledger;
    (complete && parts.next().is_none()).then_some(cursor)
}

/// `{"payments":[…],"next":…}`: each line as in `GET /payments/{id}`, with what its
/// listing adds to it.
pub(crate) fn body(listed: Listed, page: &Page) -> String {
    // About 190 bytes a line.
    let mut body = String::with_capacity(256 * (page.lines.len() + 1));
    body.push_str(r#"{"payments":["#);
    for (number, line) in page.lines.iter().enumerate() {
        if number > 0 {
            body.push(',');
        }
        write_line(&mut body, listed, line);
    }
    let next = page.next.as_ref().map_or_else(
        || "null".to_owned(),
        |cursor| format!("\"{}\"", write_cursor(listed, cursor)),
    );
    write!(body, r#"],"next":{next}}}"#).expect("writing to a string cannot fail");
    body
}

fn write_line(body: &mut String, listed: Listed, line: &Line) {
    let state = payment_state::body(&line.state);
    // The members of the state stay open for those that follow.
    body.push_str(state.strip_suffix('}').unwrap_or(&state));
    let written = match listed {
        Listed::Settled | Listed::Conflict => line
            .fee
            .map_or(Ok(()), |fee| write!(body, r#","fee":{fee}"#)),
        Listed::Open | Listed::Pinned => write!(body, r#","acceptedAt":{}"#, time(line.at)),
        Listed::Rejected => write!(body, r#","rejectedAt":{}"#, time(line.at)),
    };
    written.expect("writing to a string cannot fail");
    body.push('}');
}

/// A time of Redis's clock as JSON; null when that clock is mad.
fn time(at: JournalTime) -> String {
    let instant = RequestedAt::from_micros(at.micros());
    instant.map_or_else(|| "null".to_owned(), |instant| format!("\"{instant}\""))
}

#[cfg(test)]
mod tests {
    use feeway_domain::{Fee, PaymentState, RequestedAtError, Status, Window};
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
    const JULY: &str = "2025-07-15T12:34:56.000001Z";

    fn line(status: Status) -> Line {
        let at: RequestedAt = JULY.parse().unwrap();
        Line {
            state: PaymentState {
                id: ID.parse().unwrap(),
                amount: Money::from_cents(1990).unwrap(),
                status,
            },
            at: JournalTime::from_micros(at.micros()),
            fee: None,
        }
    }

    fn settled() -> Line {
        let status = Status::Settled {
            processor: "default".parse().unwrap(),
            requested_at: JULY.parse().unwrap(),
        };
        Line {
            fee: Fee::from_millionths(50_000),
            ..line(status)
        }
    }

    fn rejected() -> Status {
        Status::Rejected {
            reason: "a \"no\"".to_owned(),
        }
    }

    #[test]
    fn a_listing_without_parameters_begins_with_the_ledger() {
        let expected = Listing {
            listed: Listed::Settled,
            window: Window::default(),
            after: None,
            limit: 100,
        };
        assert_eq!(parse(None), Ok(expected.clone()));
        assert_eq!(parse(Some("status=settled")), Ok(expected));
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let cursor = settled().cursor();
        let text = write_cursor(Listed::Settled, &cursor);
        assert_eq!(text, format!("settled.1752582896000001.{ID}.1990.default"));
        let asked = parse(Some(&format!("after={text}&limit=1000"))).unwrap();
        assert_eq!((asked.after, asked.limit), (Some(cursor), 1_000));
        let cursor = line(rejected()).cursor();
        let text = write_cursor(Listed::Rejected, &cursor);
        let asked = parse(Some(&format!("status=rejected&after={text}"))).unwrap();
        assert_eq!(asked.after, Some(cursor));
    }

    #[test]
    fn wrong_parameters_are_refused_by_name() {
        let ours = write_cursor(Listed::Settled, &settled().cursor());
        let not_an_instant = |name| QueryError::NotAnInstant(name, RequestedAtError::Form);
        for (query, expected) in [
            ("status=", QueryError::NoSuchStatus),
            ("status=Open", QueryError::NoSuchStatus),
            ("limit=0", QueryError::NotALimit),
            ("limit=1001", QueryError::NotALimit),
            ("limit=-1", QueryError::NotALimit),
            ("limit=ten", QueryError::NotALimit),
            ("limit=", QueryError::NotALimit),
            ("limit=1&limit=1", QueryError::Repeated("limit")),
            ("from=1", not_an_instant("from")),
            ("to=%ff", not_an_instant("to")),
            ("after=", QueryError::NotACursor),
            ("after=settled", QueryError::NotACursor),
            (&format!("status=open&after={ours}"), QueryError::NotACursor),
            (&format!("after={ours}.x"), QueryError::NotACursor),
            (
                &format!("after=settled.-1.{ID}.1.default"),
                QueryError::NotACursor,
            ),
            (&format!("after=settled.1.{ID}.1."), QueryError::NotACursor),
            (
                &format!("from={JULY}&to=2025-07-15T12:34:56Z"),
                QueryError::Reversed,
            ),
        ] {
            assert_eq!(parse(Some(query)), Err(expected), "{query}");
        }
    }

    #[test]
    fn every_listing_says_what_belongs_to_it() {
        let start = format!(r#"{{"correlationId":"{ID}","amount":19.90,"#);
        let check = |listed, line: Line, expected: &str| {
            let page = Page {
                lines: vec![line],
                next: None,
            };
            let expected = format!(r#"{{"payments":[{start}{expected}}}],"next":null}}"#);
            assert_eq!(body(listed, &page), expected);
        };
        check(
            Listed::Settled,
            settled(),
            &format!(
                r#""status":"settled","processor":"default","requestedAt":"{JULY}","fee":0.05"#
            ),
        );
        check(
            Listed::Open,
            line(Status::Open { processor: None }),
            &format!(
                r#""status":"open","processor":null,"requestedAt":null,"acceptedAt":"{JULY}""#
            ),
        );
        check(
            Listed::Rejected,
            line(rejected()),
            &format!(
                r#""status":"rejected","processor":null,"requestedAt":null,"reason":"a \"no\"","rejectedAt":"{JULY}""#
            ),
        );
    }

    #[test]
    fn a_page_is_json_with_a_cursor_for_the_next() {
        assert_eq!(
            body(Listed::Open, &Page::default()),
            r#"{"payments":[],"next":null}"#
        );
        let page = Page {
            lines: vec![settled(), settled()],
            next: Some(settled().cursor()),
        };
        let body: serde_json::Value = serde_json::from_str(&body(Listed::Settled, &page)).unwrap();
        assert_eq!(body["payments"][1]["amount"], 19.9);
        let next = body["next"].as_str().unwrap();
        assert_eq!(read_cursor(Listed::Settled, next), page.next);
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "(after|limit|status|settled|open|[%&=0-9.a-f-]){0,30}") {
            if let Ok(listing) = parse(Some(&query)) {
                prop_assert!((1..=MAX_PAGE).contains(&listing.limit));
            }
        }
    }
}
