use std::io::Write;

use feeway_domain::{Resolutions, Restamped};
use serde::Serialize;

use crate::Ending;
use crate::options::RestampedList;
use crate::payment_json::time;

/// Lists the payments that are booked at another time than their processor says, oldest first.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &RestampedList,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    for restamped in &store.restamped().await? {
        if asked.json {
            let shown = RestampedJson::of(restamped);
            writeln!(out, "{}", serde_json::to_string(&shown)?)?;
        } else {
            let (at, restamp) = (time(restamped.at), &restamped.restamp);
            let (id, processor) = (restamp.id, &restamp.processor);
            let (theirs, ours) = (restamp.theirs, restamp.ours);
            writeln!(
                out,
                "{at}  {id}  {processor} says {theirs}, booked at {ours}"
            )?;
        }
    }
    Ok(Ending::Fine)
}

/// A restamp as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestampedJson {
    at: String,
    correlation_id: String,
    processor: String,
    theirs: String,
    ours: String,
}

impl RestampedJson {
    pub(crate) fn of(restamped: &Restamped) -> Self {
        let restamp = &restamped.restamp;
        Self {
            at: time(restamped.at),
            correlation_id: restamp.id.to_string(),
            processor: restamp.processor.to_string(),
            theirs: restamp.theirs.to_string(),
            ours: restamp.ours.to_string(),
        }
    }
}
