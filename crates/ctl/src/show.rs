use std::io::Write;

use feeway_domain::{Case, CorrelationId, Custody, LAPSE, Resolutions, Restamped};
use serde::Serialize;

use crate::Ending;
use crate::options::Show;
use crate::payment_json::{PaymentJson, status_name, time};
use crate::restamped::RestampedJson;

/// Shows all that is known of a payment.
pub(crate) async fn run(
    store: &impl Resolutions,
    asked: &Show,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let Some(case) = store.case(asked.id).await? else {
        eprintln!("{}", unknown(asked.id));
        return Ok(Ending::Not);
    };
    let mut restamped = store.restamped().await?;
    restamped.retain(|restamped| restamped.restamp.id == asked.id);
    if asked.json {
        let shown = CaseJson::of(&case, &restamped);
        writeln!(out, "{}", serde_json::to_string(&shown)?)?;
    } else {
        write_text(&case, &restamped, out)?;
    }
    Ok(Ending::Fine)
}

pub(crate) fn unknown(id: CorrelationId) -> String {
    format!("{id} is not known: it was never accepted, or is no longer kept")
}

fn write_text(case: &Case, restamped: &[Restamped], out: &mut impl Write) -> anyhow::Result<()> {
    for line in &case.lines {
        let state = &line.state;
        writeln!(out, "payment      {}", state.id)?;
        writeln!(out, "amount       {}", state.amount)?;
        writeln!(out, "status       {}", status_name(&state.status))?;
        if let Some(processor) = state.status.processor() {
            writeln!(out, "processor    {processor}")?;
        }
        match (&line.fee, state.status.reason()) {
            (Some(fee), _) => {
                writeln!(out, "requestedAt  {}", time(line.at))?;
                writeln!(out, "fee          {fee}")?;
            }
            (None, Some(why)) => {
                writeln!(out, "rejectedAt   {}", time(line.at))?;
                writeln!(out, "reason       {why}")?;
            }
            (None, None) => writeln!(out, "acceptedAt   {}", time(line.at))?,
        }
    }
    for Restamped { at, restamp } in restamped {
        let (processor, theirs) = (&restamp.processor, restamp.theirs);
        let at = time(*at);
        writeln!(out, "restamped    {processor} says {theirs}, noted {at}")?;
    }
    let Some(custody) = &case.custody else {
        return Ok(());
    };
    writeln!(out, "moves        {}", custody.entry.moves)?;
    writeln!(out, "owner        {}", custody.entry.owner)?;
    writeln!(out, "in hand of   {}", in_hand(custody))?;
    Ok(())
}

/// Who has an open payment in hand, and whether that front lives.
pub(crate) fn in_hand(custody: &Custody) -> String {
    let holder = custody.hold.as_ref().map(|hold| &hold.holder);
    match (holder, custody.silence()) {
        (None, _) => "nobody".to_owned(),
        (Some(holder), None) => format!("nobody: {holder} has given it up"),
        (Some(holder), Some(silence)) => {
            let lives = if silence < LAPSE {
                "is running"
            } else {
                "is silent"
            };
            let seconds = silence.as_secs_f64();
            format!("{holder}, which {lives}: its last heartbeat was {seconds:.1} s ago")
        }
    }
}

#[derive(Serialize)]
struct CaseJson {
    payments: Vec<PaymentJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    restamped: Vec<RestampedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custody: Option<CustodyJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustodyJson {
    moves: u32,
    owner: String,
    holder: Option<String>,
    epoch: Option<u64>,
    last_beat: Option<String>,
    lives: bool,
}

impl CaseJson {
    fn of(case: &Case, restamped: &[Restamped]) -> Self {
        let custody = case.custody.as_ref().map(|custody| CustodyJson {
            moves: custody.entry.moves,
            owner: custody.entry.owner.to_string(),
            holder: custody.hold.as_ref().map(|hold| hold.holder.to_string()),
            epoch: custody.hold.as_ref().map(|hold| hold.epoch),
            last_beat: custody.beat.map(time),
            lives: !custody.is_lapsed(),
        });
        Self {
            payments: case.lines.iter().map(PaymentJson::of).collect(),
            restamped: restamped.iter().map(RestampedJson::of).collect(),
            custody,
        }
    }
}
