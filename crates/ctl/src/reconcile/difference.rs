use std::io::Write;

use feeway_domain::{Status, Total, Window};
use serde_json::{Map, Value, json};

use super::export::Exported;
use super::{edge, shown};
use crate::payment_json::status_name;

/// What one side has otherwise than the other.
#[derive(Debug)]
pub(super) enum Difference {
    /// The ledger says that the processor holds it, and its export does not.
    OursNotTheirs(Exported),
    /// The export has it, and the ledger does not say that the processor holds it.
    TheirsNotOurs {
        theirs: Exported,
        /// What we know of it instead, if anything.
        known: Option<Status>,
        /// What came of settling it, if that was asked for.
        done: Option<String>,
    },
    /// Both have it with different amounts.
    Amount { ours: Exported, theirs: Exported },
    /// Both have it at different times.
    RequestedAt { ours: Exported, theirs: Exported },
    /// The export has its id more than once.
    Twice(Exported),
}

impl Difference {
    fn kind(&self) -> &'static str {
        match self {
            Self::OursNotTheirs(_) => "ours-not-theirs",
            Self::TheirsNotOurs { .. } => "theirs-not-ours",
            Self::Amount { .. } => "amount",
            Self::RequestedAt { .. } => "requestedAt",
            Self::Twice(_) => "twice",
        }
    }

    fn sides(&self) -> (Option<Exported>, Option<Exported>) {
        match self {
            Self::OursNotTheirs(ours) => (Some(*ours), None),
            Self::TheirsNotOurs { theirs, .. } | Self::Twice(theirs) => (None, Some(*theirs)),
            Self::Amount { ours, theirs } | Self::RequestedAt { ours, theirs } => {
                (Some(*ours), Some(*theirs))
            }
        }
    }

    /// What we know of a payment that only the processor has.
    fn known(&self) -> Option<String> {
        let Self::TheirsNotOurs { known, .. } = self else {
            return None;
        };
        Some(match known {
            None => "unknown".to_owned(),
            Some(status) => match status.processor() {
                Some(processor) => format!("{} at {processor}", status_name(status)),
                None => status_name(status).to_owned(),
            },
        })
    }

    fn done(&self) -> Option<&str> {
        match self {
            Self::TheirsNotOurs { done, .. } => done.as_deref(),
            Self::OursNotTheirs(_)
            | Self::Amount { .. }
            | Self::RequestedAt { .. }
            | Self::Twice(_) => None,
        }
    }

    fn text(&self) -> String {
        let (ours, theirs) = self.sides();
        let id = ours.or(theirs).map(|one| one.id.to_string());
        let mut text = format!("{:16} {}", self.kind(), id.unwrap_or_default());
        for (side, one) in [("ours", ours), ("theirs", theirs)] {
            if let Some(one) = one {
                text.push_str(&format!("  {side} {}", shown(one.amount, one.requested_at)));
            }
        }
        if let Some(known) = self.known() {
            text.push_str(&format!("  here {known}"));
        }
        if let Some(done) = self.done() {
            text.push_str(&format!("  now {done}"));
        }
        text
    }

    fn json(&self) -> Value {
        let (ours, theirs) = self.sides();
        let mut object = Map::new();
        object.insert("difference".to_owned(), self.kind().into());
        let id = ours.or(theirs).map(|one| one.id.to_string());
        object.insert("correlationId".to_owned(), id.into());
        for (side, one) in [("ours", ours), ("theirs", theirs)] {
            if let Some(one) = one {
                object.insert(side.to_owned(), side_json(one));
            }
        }
        if let Some(known) = self.known() {
            object.insert("here".to_owned(), known.into());
        }
        if let Some(done) = self.done() {
            object.insert("now".to_owned(), done.into());
        }
        Value::Object(object)
    }
}

/// Amounts as text: a JSON value of this crate would turn them into floats.
fn side_json(one: Exported) -> Value {
    json!({"amount": one.amount.to_string(), "requestedAt": one.requested_at.to_string()})
}

/// Writes differences as they come, and counts them.
pub(super) struct Report<'a, W> {
    out: &'a mut W,
    json: bool,
    counts: [(&'static str, u64); 5],
}

impl<'a, W: Write> Report<'a, W> {
    pub(super) fn new(out: &'a mut W, json: bool) -> Self {
        let kinds = [
            "ours-not-theirs",
            "theirs-not-ours",
            "amount",
            "requestedAt",
            "twice",
        ];
        Self {
            out,
            json,
            counts: kinds.map(|kind| (kind, 0)),
        }
    }

    /// Where it writes to.
    pub(super) fn out(&mut self) -> &mut W {
        self.out
    }

    pub(super) fn add(&mut self, difference: &Difference) -> anyhow::Result<()> {
        for (kind, count) in &mut self.counts {
            if *kind == difference.kind() {
                *count += 1;
            }
        }
        if self.json {
            writeln!(self.out, "{}", difference.json())?;
        } else {
            writeln!(self.out, "{}", difference.text())?;
        }
        Ok(())
    }

    /// Writes the totals; true when there was no difference.
    pub(super) fn end(self, window: Window, theirs: Total, ours: Total) -> anyhow::Result<bool> {
        let equal = self.counts.iter().all(|(_, count)| *count == 0);
        let (from, to) = (window.from(), window.to());
        if self.json {
            let side = |total: Total| json!({"payments": total.count, "amount": total.amount().to_string()});
            let counts = self.counts.iter();
            let counts: Map<String, Value> = counts
                .map(|(kind, count)| ((*kind).to_owned(), (*count).into()))
                .collect();
            let end = json!({
                "equal": equal,
                "from": from.map(|from| from.to_string()),
                "to": to.map(|to| to.to_string()),
                "ours": side(ours),
                "theirs": side(theirs),
                "differences": counts,
            });
            writeln!(self.out, "{end}")?;
            return Ok(equal);
        }
        let counts = self.counts.map(|(kind, count)| format!("{kind} {count}"));
        writeln!(self.out, "window  {} to {}", edge(from), edge(to))?;
        for (side, total) in [("ours", ours), ("theirs", theirs)] {
            writeln!(
                self.out,
                "{side:7} {} payments, {}",
                total.count,
                total.amount()
            )?;
        }
        writeln!(self.out, "differences: {}", counts.join(", "))?;
        let verdict = if equal { "equal" } else { "they differ" };
        writeln!(self.out, "{verdict}")?;
        Ok(equal)
    }
}
