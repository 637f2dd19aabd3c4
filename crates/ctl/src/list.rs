use std::io::Write;

use feeway_domain::{Ledger, Line};

use crate::Ending;
use crate::ledger_pages::LedgerPages;
use crate::options::List;
use crate::payment_json::{PaymentJson, time};

/// Lists payments in the order of time.
pub(crate) async fn run(
    store: &impl Ledger,
    asked: &List,
    out: &mut impl Write,
) -> anyhow::Result<Ending> {
    let mut left = asked.limit.unwrap_or(u64::MAX);
    let mut pages = LedgerPages::new(store, asked.status.into(), asked.times.window());
    if !asked.json {
        writeln!(
            out,
            "{:36}  {:>13}  {:27}  {:24}  FEE OR REASON",
            "PAYMENT", "AMOUNT", "TIME", "PROCESSOR"
        )?;
    }
    while let Some(lines) = pages.next().await? {
        for line in &lines {
            if left == 0 {
                out.flush()?;
                eprintln!("there are more: raise --limit or give --from");
                return Ok(Ending::Fine);
            }
            left -= 1;
            if asked.json {
                writeln!(out, "{}", serde_json::to_string(&PaymentJson::of(line))?)?;
            } else {
                writeln!(out, "{}", row(line))?;
            }
        }
    }
    Ok(Ending::Fine)
}

fn row(line: &Line) -> String {
    let state = &line.state;
    let processor = state.status.processor().map_or("-", |name| name.as_str());
    let fee = line.fee.map(|fee| fee.to_string());
    let last = state.status.reason().or(fee.as_deref()).unwrap_or("");
    let (id, amount, at) = (
        state.id.to_string(),
        state.amount.to_string(),
        time(line.at),
    );
    let row = format!("{id:36}  {amount:>13}  {at:27}  {processor:24}  {last}");
    row.trim_end().to_owned()
}
