use std::io::Write;

use feeway_domain::{Resolution, Verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Ending;
use crate::options::Resolutions;
use crate::payment_json::{fee, number, time};

/// Lists what was resolved, oldest first.
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
        processor,
        verdict,
        by,
    } = resolution;
    let verdict = match verdict {
        Verdict::Held { requested_at, fee } => {
            format!("held, requestedAt {requested_at}, fee {fee}")
        }
        Verdict::NotHeld => "not held".to_owned(),
    };
    let at = time(*at);
    format!("{at}  {id}  {amount}  {processor}: {verdict}; by {by}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResolutionJson {
    at: String,
    correlation_id: String,
    amount: Box<RawValue>,
    processor: String,
    held: bool,
    requested_at: Option<String>,
    fee: Option<Box<RawValue>>,
    by: String,
}

impl ResolutionJson {
    fn of(resolution: &Resolution) -> Self {
        let (requested_at, share) = match &resolution.verdict {
            Verdict::Held { requested_at, fee } => (Some(requested_at.to_string()), Some(*fee)),
            Verdict::NotHeld => (None, None),
        };
        Self {
            at: time(resolution.at),
            correlation_id: resolution.id.to_string(),
            amount: number(&resolution.amount.to_string()),
            processor: resolution.processor.to_string(),
            held: share.is_some(),
            requested_at,
            fee: share.map(fee),
            by: resolution.by.clone(),
        }
    }
}
