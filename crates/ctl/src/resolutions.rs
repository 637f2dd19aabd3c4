use std::io::Write;

use feeway_domain::{Decided, Resolution, Verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Ending;
use crate::options::Resolutions;
use crate::payment_json::{fee, number, time};

/// Lists what was resolved and reopened, oldest first.
pub(crate) async fn run(
    store: &impl feeway_domain::Resolutions,
    asked: &Resolutions,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    for resolution in &store.resolutions().await? {
        if asked.json {
            let shown = ResolutionJson::of(resolution);
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
        } else {
            writeln!(out, "{}", row(resolution))?;
        }
    }
    Ok(Ending::Fine)
}

fn row(resolution: &Resolution) -> String {
    let Resolution {
        at,
        id,
        amount,
        decided,
        by,
    } = resolution;
    let decided = match decided {
        Decided::Resolved { processor, verdict } => match verdict {
            Verdict::Held { requested_at, fee } => {
                format!("{processor}: held, requestedAt {requested_at}, fee {fee}")
            }
            Verdict::NotHeld => format!("{processor}: not held"),
        },
        Decided::Reopened { reason } => format!("reopened: {reason}"),
    };
    let at = time(*at);
    format!("{at}  {id}  {amount}  {decided}; by {by}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResolutionJson {
    at: String,
    correlation_id: String,
    amount: Box<RawValue>,
    #[serde(flatten)]
    decided: DecidedJson,
    by: String,
}

/// By its members anybody can tell which it is.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum DecidedJson {
    Resolved {
        processor: String,
        held: bool,
        requested_at: Option<String>,
        fee: Option<Box<RawValue>>,
    },
    Reopened {
        reopened: bool,
        reason: String,
    },
}

impl ResolutionJson {
    fn of(resolution: &Resolution) -> Self {
        Self {
            at: time(resolution.at),
            correlation_id: resolution.id.to_string(),
            amount: number(&resolution.amount.to_string()),
            decided: DecidedJson::of(&resolution.decided),
            by: resolution.by.clone(),
        }
    }
}

impl DecidedJson {
    fn of(decided: &Decided) -> Self {
        match decided {
            Decided::Resolved { processor, verdict } => {
                let (requested_at, share) = match verdict {
                    Verdict::Held { requested_at, fee } => (Some(requested_at), Some(*fee)),
                    Verdict::NotHeld => (None, None),
                };
                Self::Resolved {
                    processor: processor.to_string(),
                    held: share.is_some(),
                    requested_at: requested_at.map(ToString::to_string),
                    fee: share.map(fee),
                }
            }
            Decided::Reopened { reason } => Self::Reopened {
                reopened: true,
                reason: reason.clone(),
            },
        }
    }
}
