//! What a processor says of its payments, as an operator got it.

use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use feeway_domain::{CorrelationId, Money, RequestedAt};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reconcile::{read_amount, read_lines, with_source};

/// The most lines: 400 MB at about 40 bytes each.
const MAX_LINES: usize = 10_000_000;

/// What it says of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    Held {
        /// Unless it was not told.
        amount: Option<Money>,
        requested_at: RequestedAt,
    },
    NotHeld,
}

impl Said {
    /// Whether it says that the payment is held at this instant.
    pub(crate) fn is_at(&self, instant: RequestedAt) -> bool {
        match self {
            Self::Held { requested_at, .. } => *requested_at == instant,
            Self::NotHeld => false,
        }
    }
}

/// All lines in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Statement(Vec<(CorrelationId, Said)>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatementLine<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow, default)]
    amount: Option<&'a RawValue>,
    #[serde(borrow, default)]
    requested_at: Option<Cow<'a, str>>,
    held: Option<bool>,
}

impl Statement {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        with_source(path, |source| Self::read(source))
    }

    fn read(source: &mut dyn BufRead) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        read_lines(source, |line| {
            ensure!(lines.len() < MAX_LINES, "more than {MAX_LINES} lines");
            lines.push(read_line(line)?);
            Ok(())
        })?;
        lines.sort_unstable();
        // The same line twice says no more than once.
        lines.dedup();
        Ok(Self(lines))
    }

    /// What is said of a payment, if anything; an error if two things are.
    pub(crate) fn find(&self, id: CorrelationId) -> Result<Option<Said>, &'static str> {
        let place = self.0.partition_point(|(other, _)| *other < id);
        let mut same = self.0[place..].iter().take_while(|(other, _)| *other == id);
        match (same.next(), same.next()) {
            (_, Some(_)) => Err("the file contradicts itself about it"),
            (found, None) => Ok(found.map(|(_, said)| *said)),
        }
    }

    /// Every id once, in order.
    pub(crate) fn ids(&self) -> Vec<CorrelationId> {
        let mut ids: Vec<_> = self.0.iter().map(|(id, _)| *id).collect();
        ids.dedup();
        ids
    }
}

fn read_line(line: &[u8]) -> anyhow::Result<(CorrelationId, Said)> {
    let read: StatementLine = serde_json::from_slice(line)?;
    let id = read.correlation_id.parse().context("correlationId")?;
    let said = match (read.held, read.amount, &read.requested_at) {
        (Some(false), _, None) => Said::NotHeld,
        (Some(false), ..) => bail!("held is false, but there is a requestedAt"),
        (Some(true) | None, Some(amount), Some(at)) => Said::Held {
            amount: Some(read_amount(amount).context("amount")?),
            requested_at: RequestedAt::from_processor(at).context("requestedAt")?,
        },
        (Some(true) | None, None, _) => bail!("amount is missing"),
        (Some(true) | None, Some(_), None) => bail!("requestedAt is missing"),
    };
    Ok((id, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> CorrelationId {
        CorrelationId::from_bytes([byte; 16])
    }

    fn read(lines: &[String]) -> anyhow::Result<Statement> {
        Statement::read(&mut lines.join("\n").as_bytes())
    }

    #[test]
    fn a_line_says_held_or_not_held() {
        let held = format!(
            r#"{{"correlationId":"{}","amount":19.9,"requestedAt":"2025-07-15T12:00:00"}}"#,
            id(2)
        );
        let lines = [
            held.clone(),
            format!(r#"{{"correlationId":"{}","held":false}}"#, id(1)),
            held,
        ];
        let statement = read(&lines).unwrap();
        assert_eq!(statement.ids(), [id(1), id(2)]);
        assert_eq!(statement.find(id(1)), Ok(Some(Said::NotHeld)));
        let Ok(Some(Said::Held { amount, .. })) = statement.find(id(2)) else {
            panic!("{statement:?}");
        };
        assert_eq!(amount.map(Money::cents), Some(1990));
        assert_eq!(statement.find(id(3)), Ok(None));
    }

    #[test]
    fn empty_or_contradictory_lines_are_refused() {
        let line = |rest: &str| format!(r#"{{"correlationId":"{}"{rest}}}"#, id(1));
        for (rest, named) in [
            ("", "amount is missing"),
            (r#","held":true"#, "amount is missing"),
            (r#","amount":1"#, "requestedAt is missing"),
            (
                r#","amount":0.001,"requestedAt":"2025-07-15T12:00:00Z""#,
                "amount",
            ),
            (
                r#","held":false,"requestedAt":"2025-07-15T12:00:00Z""#,
                "held is false",
            ),
        ] {
            let error = format!("{:#}", read(&[line(rest)]).unwrap_err());
            assert!(error.contains(named) && error.contains("line 1"), "{error}");
        }
        let at = |second| {
            let at = format!("2025-07-15T12:00:0{second}Z");
            line(&format!(r#","amount":1,"requestedAt":"{at}""#))
        };
        let statement = read(&[at(1), at(2)]).unwrap();
        assert!(statement.find(id(1)).is_err());
    }
}
