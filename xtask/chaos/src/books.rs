//! Reads books: the processors' by their administration, Feeway's by its public contract.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::http_client::{Answer, Client, request};
use feeway_machine::readiness::Address;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::simulators::Simulator;

/// How many connections ask for payments one by one.
const READERS: usize = 8;

/// A question that fails is asked so often; a gateway that heals may be away for a moment.
const MAX_TRIES: u32 = 40;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(250);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A payment in a processor's books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) cents: i64,
    /// Microseconds since 1970.
    pub(super) requested_at_us: i64,
}

/// All payments of one processor by their ids.
pub(super) type Book = BTreeMap<String, Held>;

/// What Feeway says of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Station {
    /// It knows no such payment.
    Unknown,
    Open,
    Settled {
        processor: String,
        held: Held,
    },
    /// Rejected or a conflict.
    Other(String),
}

/// Count and cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) count: u64,
    pub(super) cents: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DumpLine<'a> {
    correlation_id: String,
    #[serde(borrow)]
    amount: &'a RawValue,
    requested_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StationBody<'a> {
    #[serde(borrow)]
    amount: &'a RawValue,
    status: String,
    processor: Option<String>,
    requested_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TotalBody<'a> {
    total_requests: u64,
    #[serde(borrow)]
    total_amount: &'a RawValue,
}

impl TotalBody<'_> {
    fn total(&self) -> Result<Total> {
        Ok(Total {
            count: self.total_requests,
            cents: cents(self.total_amount.get())?,
        })
    }
}

/// The whole book of a processor.
pub(super) fn dump(simulator: &Simulator) -> Result<Book> {
    let answer = simulator.ask("GET", "/admin/dump", "")?;
    read_dump(&answer.text()).with_context(|| format!("the dump of {}", simulator.name))
}

fn read_dump(text: &str) -> Result<Book> {
    let mut book = Book::new();
    for line in text.lines() {
        let line: DumpLine<'_> = serde_json::from_str(line)?;
        let held = Held {
            cents: cents(line.amount.get())?,
            requested_at_us: line.requested_at.as_microsecond(),
        };
        let id = line.correlation_id.to_ascii_lowercase();
        if book.insert(id, held).is_some() {
            bail!("{} appears twice", line.correlation_id);
        }
    }
    Ok(book)
}

/// What a processor says it holds in a window, a query string or nothing.
pub(super) fn processor_total(simulator: &Simulator, window: &str) -> Result<Total> {
    let path = format!("/admin/payments-summary{window}");
    let answer = simulator.ask("GET", &path, "")?;
    let body: TotalBody<'_> = serde_json::from_slice(&answer.body)?;
    body.total()
}

/// Requests that a processor has at work or waiting.
pub(super) fn inside(simulator: &Simulator) -> Result<u64> {
    #[derive(Deserialize)]
    struct Stats {
        working: u64,
        queued: u64,
    }
    let stats: Stats = serde_json::from_slice(&simulator.ask("GET", "/admin/stats", "")?.body)?;
    Ok(stats.working + stats.queued)
}

/// Asks Feeway on one kept connection.
pub(super) struct Feeway(Client);

impl Feeway {
    pub(super) fn at(address: &Address) -> Self {
        Self(Client::new(address.clone(), ANSWER_TIMEOUT))
    }

    /// What it says each processor holds in a window, a query string or nothing.
    pub(super) fn summary(&mut self, window: &str) -> Result<BTreeMap<String, Total>> {
        let answer = self.get(&format!("/payments-summary{window}"))?;
        if answer.status != 200 {
            bail!("summary{window}: {}: {}", answer.status, answer.text());
        }
        let body: BTreeMap<String, TotalBody<'_>> = serde_json::from_slice(&answer.body)?;
        body.into_iter()
            .map(|(name, total)| Ok((name, total.total()?)))
            .collect()
    }

    /// Payments that it says are settled.
    pub(super) fn settled(&mut self) -> Result<u64> {
        Ok(self.summary("")?.values().map(|total| total.count).sum())
    }

    fn station(&mut self, id: &str) -> Result<Station> {
        let answer = self.get(&format!("/payments/{id}"))?;
        match answer.status {
            200 => read_station(&answer.body),
            404 => Ok(Station::Unknown),
            status => bail!("GET /payments/{id}: {status}: {}", answer.text()),
        }
    }

    /// Any status but those of a gateway that is away or busy is an answer.
    fn get(&mut self, path: &str) -> Result<Answer> {
        let wire = request("GET", path, "", "");
        let mut last = String::new();
        for _ in 0..MAX_TRIES {
            match self.0.ask(&wire) {
                Ok(answer) if !matches!(answer.status, 502..=504) => return Ok(answer),
                Ok(answer) => last = format!("{}: {}", answer.status, answer.text()),
                Err(error) => last = error.to_string(),
            }
            thread::sleep(TRY_AGAIN_AFTER);
        }
        bail!("the stack did not answer GET {path} in time; at last: {last}")
    }
}

fn read_station(body: &[u8]) -> Result<Station> {
    let body: StationBody<'_> = serde_json::from_slice(body)?;
    let cents = cents(body.amount.get())?;
    Ok(match &*body.status {
        "open" => Station::Open,
        "settled" => Station::Settled {
            processor: body
                .processor
                .context("a settled payment has no processor")?,
            held: Held {
                cents,
                requested_at_us: body
                    .requested_at
                    .context("a settled payment has no requestedAt")?
                    .as_microsecond(),
            },
        },
        _ => Station::Other(body.status),
    })
}

/// Asks Feeway for each of these payments.
pub(super) fn stations(address: &Address, ids: &[&str]) -> Result<BTreeMap<String, Station>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let read = || -> Result<()> {
        let mut feeway = Feeway::at(address);
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            let station = feeway.station(id)?;
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert((*id).to_owned(), station);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
        readers.into_iter().try_for_each(|reader| {
            reader
                .join()
                .unwrap_or_else(|_panic| bail!("a reader panicked"))
        })
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// A JSON number with at most two decimals, in cents. It is never a float on its way.
fn cents(number: &str) -> Result<i64> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
        bail!("{number} is not an amount");
    }
    let (whole, rest): (i64, i64) = (whole.parse()?, format!("{decimals:0<2}").parse()?);
    let cents = whole.checked_mul(100).and_then(|c| c.checked_add(rest));
    cents.with_context(|| format!("{number} is too much"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_nothing_else_is_one() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(cents(text).ok(), expected, "{text}");
        };
        check("0", Some(0));
        check("19.9", Some(1990));
        check("19.05", Some(1905));
        check("20.00", Some(2000));
        check("92233720368547758.07", Some(i64::MAX));
        check("92233720368547758.08", None);
        for wrong in ["", "-1", "1e2", "1.005", ".5", "\"1\"", "1.-1", "+1"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_dump_is_read_to_the_microsecond() {
        let line =
            r#"{"correlationId":"A","amount":19.90,"requestedAt":"1970-01-01T00:00:01.000002Z"}"#;
        let book = read_dump(line).unwrap();
        let held = Held {
            cents: 1990,
            requested_at_us: 1_000_002,
        };
        assert_eq!(book, Book::from([("a".to_owned(), held)]));
        assert!(read_dump(&format!("{line}\n{line}")).is_err());
    }

    #[test]
    fn every_station_is_read() {
        let check = |status: &str, rest: &str, expected: Option<Station>| {
            let body =
                format!(r#"{{"correlationId":"a","amount":1.00,"status":"{status}",{rest}}}"#);
            assert_eq!(read_station(body.as_bytes()).ok(), expected, "{body}");
        };
        let nowhere = r#""processor":null,"requestedAt":null"#;
        check("open", nowhere, Some(Station::Open));
        let rejected = Station::Other("rejected".to_owned());
        check("rejected", nowhere, Some(rejected));
        check("settled", nowhere, None);
        check(
            "settled",
            r#""processor":"default","requestedAt":"1970-01-01T00:00:00.000007Z""#,
            Some(Station::Settled {
                processor: "default".to_owned(),
                held: Held {
                    cents: 100,
                    requested_at_us: 7,
                },
            }),
        );
    }
}
