//! The fee that a processor takes, as its payments in the ledger tell it.

use feeway_domain::{Fee, Listed, ProcessorName, RequestedAt, Resolutions, Window};

use crate::ledger_pages::{LedgerPages, oldest_kept};

/// How much earlier the second search begins.
const EARLIER_MICROS: i64 = 3_600_000_000;

/// Pages of the ledger that are searched for the processor's fee, on either side.
const FEE_PAGES: usize = 5;

/// The fee of a payment that the processor held at about that time.
pub(crate) async fn fee_in_force(
    store: &impl Resolutions,
    processor: &ProcessorName,
    at: RequestedAt,
) -> anyhow::Result<Option<Fee>> {
    let oldest = oldest_kept(store).await?.unwrap_or(RequestedAt::MIN);
    let hour_before = RequestedAt::from_micros(at.micros() - EARLIER_MICROS).unwrap_or(oldest);
    for from in [at, hour_before] {
        let window = Window::new(Some(from.max(oldest)), None)?;
        let mut pages = LedgerPages::new(store, Listed::Settled, window);
        for _ in 0..FEE_PAGES {
            let Some(lines) = pages.next().await? else {
                break;
            };
            let of_processor = lines
                .iter()
                .find(|line| line.state.status.processor() == Some(processor));
            if let Some(fee) = of_processor.and_then(|line| line.fee) {
                return Ok(Some(fee));
            }
        }
    }
    Ok(None)
}
