use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{Finding, Rating};
use crate::vouch::Vouched;
use crate::words;

/// The least `--absence-after` that is advised, which is the fronts' default.
const ABSENCE_AFTER: Duration = Duration::from_secs(15);

/// One measurement is no bound: so many times the lag that was seen.
const LAGS: u32 = 3;

/// What all checks came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of this processor.
    pub url: String,
    /// The fronts' `--absence-after`.
    pub absence_after: Duration,
    /// How long after the answer to its POST the first payment was found, if it was.
    pub lag: Option<Duration>,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether Feeway can work with the processor, as far as was asked.
    pub fn fits(&self) -> bool {
        self.findings.iter().all(|finding| finding.rating.is_fine())
    }

    /// The `--absence-after` for the lag that was seen.
    pub fn advised_absence_after(&self) -> Option<Duration> {
        let lag = self.lag?.saturating_mul(LAGS);
        let whole = Duration::from_secs(lag.as_secs() + u64::from(lag.subsec_nanos() > 0));
        Some(whole.max(ABSENCE_AFTER))
    }

    pub(crate) fn write(
        &self,
        as_json: bool,
        vouched: Option<&Vouched>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if as_json {
            return writeln!(out, "{}", self.json(vouched));
        }
        self.table(out)?;
        if let (Some(lag), Some(advised)) = (self.lag, self.advised_absence_after()) {
            let lag = if lag.is_zero() {
                "none".to_owned()
            } else {
                words::time(lag)
            };
            let advised = words::time(advised);
            writeln!(
                out,
                "look-up lag: {lag}; recommended: --absence-after {advised}"
            )?;
        }
        writeln!(out, "verdict: {}", self.verdict())?;
        match vouched {
            None => Ok(()),
            Some(Vouched {
                name,
                refused: None,
            }) => writeln!(
                out,
                "vouched: fronts believe it when a look-up of {name} finds nothing"
            ),
            Some(Vouched {
                name,
                refused: Some(why),
            }) => writeln!(out, "not vouched for {name}: {why}"),
        }
    }

    fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let header = ["check", "rating", "seen", "feeway"].map(str::to_owned);
        let rows: Vec<[String; 4]> = std::iter::once(header)
            .chain(self.findings.iter().map(|finding| {
                [
                    finding.check.to_string(),
                    finding.rating.to_string(),
                    finding.seen.clone(),
                    finding.feeway.clone(),
                ]
            }))
            .collect();
        let width = |column: usize| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or(0)
        };
        let widths = [0, 1, 2].map(width);
        for [check, rating, seen, feeway] in &rows {
            let line = format!(
                "{check:<0$}  {rating:<1$}  {seen:<2$}  {feeway}",
                widths[0], widths[1], widths[2]
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn verdict(&self) -> String {
        let named = |rating: Rating| {
            let named = self
                .findings
                .iter()
                .filter(|finding| finding.rating == rating);
            named
                .map(|finding| finding.check.to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let [tolerated, differs, unclear] =
            [Rating::Tolerated, Rating::Differs, Rating::CannotTell].map(named);
        let mut verdict = match (differs.as_str(), unclear.as_str()) {
            ("", "") => "fits".to_owned(),
            ("", unclear) => format!("cannot tell: {unclear}"),
            (differs, "") => format!("does not fit: {differs}"),
            (differs, unclear) => format!("does not fit: {differs}; cannot tell: {unclear}"),
        };
        if !tolerated.is_empty() {
            verdict += &format!("; tolerated: {tolerated}");
        }
        verdict
    }

    fn json(&self, vouched: Option<&Vouched>) -> Value {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let findings = self.findings.iter().map(|finding| {
            json!({
                "check": finding.check.to_string(),
                "rating": finding.rating.to_string(),
                "seen": finding.seen,
                "feeway": finding.feeway,
            })
        });
        json!({
            "url": self.url,
            "fits": self.fits(),
            "lagMs": self.lag.map(ms),
            "advisedAbsenceAfterMs": self.advised_absence_after().map(ms),
            "checks": findings.collect::<Vec<_>>(),
            "vouched": vouched.map(|vouched| json!({
                "name": vouched.name.as_str(),
                "refused": vouched.refused,
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Check;

    fn report(findings: Vec<Finding>, lag_ms: u64) -> Report {
        Report {
            url: "http://a".to_owned(),
            absence_after: ABSENCE_AFTER,
            lag: Some(Duration::from_millis(lag_ms)),
            findings,
        }
    }

    fn written(report: &Report, as_json: bool) -> String {
        let mut out = Vec::new();
        report.write(as_json, None, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_is_aligned_and_the_verdict_names_what_is_wrong() {
        let found = vec![
            Check::Post.fits("200 in 1ms", "books it"),
            Check::Lag.differs("found after 20s", "waits only 15s"),
            Check::Health.cannot_tell("no connection"),
        ];
        let expected = "\
check   rating       seen             feeway
post    fits         200 in 1ms       books it
lag     differs      found after 20s  waits only 15s
health  cannot tell  no connection
look-up lag: 20s; recommended: --absence-after 1m
verdict: does not fit: lag; cannot tell: health
";
        assert_eq!(written(&report(found, 20_000), false), expected);
    }

    #[test]
    fn tolerated_findings_still_fit() {
        let found = vec![Check::Health.tolerated("404", "goes by its attempts alone")];
        let report = report(found, 0);
        assert!(report.fits());
        let written = written(&report, false);
        let end = "look-up lag: none; recommended: --absence-after 15s\nverdict: fits; tolerated: \
                   health\n";
        assert!(written.ends_with(end), "{written}");
    }

    #[test]
    fn json_is_one_line() {
        let found = vec![Check::OtherAmount.fits("422 in 1ms", "never sends this")];
        let text = written(&report(found, 5_001), true);
        assert_eq!(text.lines().count(), 1);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["checks"][0]["check"], "other-amount");
        assert_eq!(read["advisedAbsenceAfterMs"], 16_000);
        assert_eq!(read["fits"], true);
    }
}
