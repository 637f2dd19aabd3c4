//! A processor's export, read once and kept in memory, 33 bytes a line.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use feeway_domain::{CorrelationId, Money, MoneyError, RequestedAt};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest line; one of an export has about 120 bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// The most lines: 3.3 GB at 33 bytes each, and as much again while they are sorted.
const MAX_LINES: usize = 100_000_000;

/// A payment as the processor has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exported {
    pub(crate) id: CorrelationId,
    pub(crate) requested_at: RequestedAt,
    pub(crate) amount: Money,
}

/// All payments of an export in the order of their ids.
#[derive(Debug)]
pub(crate) struct Export {
    lines: Vec<Exported>,
    /// Which of them the ledger has too.
    matched: Vec<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExportLine<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow)]
    amount: &'a RawValue,
    #[serde(borrow)]
    requested_at: Cow<'a, str>,
}

impl Export {
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        with_source(path, |source| Self::read(source))
    }

    pub(crate) fn read(source: impl BufRead) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        read_lines(source, |line| {
            ensure!(lines.len() < MAX_LINES, "more than {MAX_LINES} lines");
            lines.push(read_line(line)?);
            Ok(())
        })?;
        lines.sort_unstable();
        let matched = vec![false; lines.len()];
        Ok(Self { lines, matched })
    }

    /// The payment with this id, of several the one with the earliest time, which counts as
    /// found in the ledger from now on.
    pub(crate) fn find(&mut self, id: CorrelationId) -> Option<Exported> {
        let place = self.lines.partition_point(|line| line.id < id);
        let found = *self.lines.get(place).filter(|line| line.id == id)?;
        self.matched[place] = true;
        Some(found)
    }

    pub(crate) fn lines(&self) -> &[Exported] {
        &self.lines
    }

    /// What the ledger was not seen to have, of several with one id the first.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = Exported> {
        let first = |&place: &usize| place == 0 || self.lines[place - 1].id != self.lines[place].id;
        (0..self.lines.len())
            .filter(|&place| !self.matched[place])
            .filter(first)
            .map(|place| self.lines[place])
    }

    /// The ids of which lines differ.
    pub(crate) fn ambiguous(&self) -> impl Iterator<Item = CorrelationId> {
        let pairs = self.lines.windows(2);
        let differ = |pair: &&[Exported]| pair[0].id == pair[1].id && pair[0] != pair[1];
        pairs.filter(differ).map(|pair| pair[1].id)
    }

    /// Those whose id was there before.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = Exported> {
        let pairs = self.lines.windows(2);
        pairs
            .filter(|pair| pair[0].id == pair[1].id)
            .map(|pair| pair[1])
    }
}

/// Reads a file, or the standard input where it is called `-`.
pub(crate) fn with_source<T>(
    path: &Path,
    read: impl FnOnce(&mut dyn BufRead) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if path.as_os_str() == "-" {
        return read(&mut std::io::stdin().lock()).context("the standard input");
    }
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    read(&mut BufReader::new(file)).with_context(|| shown.to_string())
}

/// Reads JSON lines of bounded length, the empty ones left out.
pub(crate) fn read_lines(
    mut source: impl BufRead,
    mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut source)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)
            .with_context(|| format!("line {number}"))?;
        if read == 0 {
            break;
        }
        let longest = usize::try_from(MAX_LINE_BYTES)?;
        ensure!(
            read < longest,
            "line {number} has more than {longest} bytes"
        );
        let start = line.trim_ascii_start();
        if start.is_empty() {
            continue;
        }
        if start.starts_with(b"[") {
            bail!("line {number}: an array; each line must be one object");
        }
        each(&line).with_context(|| format!("line {number}"))?;
    }
    Ok(())
}

/// An amount as a number or as text.
pub(crate) fn read_amount(amount: &RawValue) -> Result<Money, MoneyError> {
    let amount = amount.get();
    let digits = amount
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(amount);
    digits.parse()
}

fn read_line(line: &[u8]) -> anyhow::Result<Exported> {
    let read: ExportLine = serde_json::from_slice(line)?;
    Ok(Exported {
        id: read.correlation_id.parse().context("correlationId")?,
        amount: read_amount(read.amount).context("amount")?,
        requested_at: RequestedAt::from_processor(&read.requested_at).context("requestedAt")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u8, amount: &str, at: &str) -> String {
        let id = CorrelationId::from_bytes([id; 16]);
        format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{at}","x":[1]}}"#)
    }

    #[test]
    fn lines_are_read_in_any_order_and_found_by_id() {
        let text = [
            line(2, "19.9", "2025-07-15T12:00:00.1234567"),
            String::new(),
            line(1, "\"20.00\"", "2025-07-15T12:00:00Z"),
            line(2, "19.90", "2025-07-15T11:00:00Z"),
        ];
        let mut export = Export::read(text.join("\r\n").as_bytes()).unwrap();
        assert_eq!(export.lines().len(), 3);
        let id = |byte| CorrelationId::from_bytes([byte; 16]);
        let found = export.find(id(2)).unwrap();
        assert_eq!(
            found.requested_at.to_string(),
            "2025-07-15T11:00:00.000000Z"
        );
        assert_eq!(found.amount.cents(), 1990);
        assert_eq!(export.find(id(3)), None);
        let unmatched: Vec<_> = export.unmatched().map(|one| one.id).collect();
        assert_eq!(unmatched, [id(1)]);
        let repeated: Vec<_> = export.repeated().collect();
        assert_eq!(repeated.len(), 1);
        assert_eq!(repeated[0].requested_at.micros() % 1_000_000, 123_456);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let good = line(1, "1", "2025-07-15T12:00:00Z");
        for (bad, named) in [
            ("x".to_owned(), "expected"),
            ("[]".to_owned(), "array"),
            (line(1, "1.001", "2025-07-15T12:00:00Z"), "amount"),
            (line(1, "0", "2025-07-15T12:00:00Z"), "amount"),
            (line(1, "1", "yesterday"), "requestedAt"),
            (good.replace("0101", "01"), "correlationId"),
            (good.replace("amount", "sum"), "amount"),
            (" ".repeat(70_000), "bytes"),
        ] {
            let text = format!("{good}\n{bad}\n");
            let error = Export::read(text.as_bytes()).unwrap_err();
            let said = format!("{error:#}");
            assert!(said.contains("line 2") && said.contains(named), "{said}");
        }
        assert!(Export::read(&b""[..]).unwrap().lines().is_empty());
    }
}
