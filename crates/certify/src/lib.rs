//! Tries a payment processor with small payments and says what of the contract it keeps.
//!
//! Does: posts a few payments, repeats them, looks them up before, at once and later, asks what
//! nobody should ask, and says of each answer what Feeway would conclude from it. The contract is
//! `docs/processors.md`. On request it vouches for the processor's look-up in a stack's Redis.
//!
//! Does not: call a processor's `/admin`, refund what it posted, or decide what an answer means:
//! that is the product's own client.
//!
//! ```text
//! checks ──► Wire (one connection each) ──► the processor
//!    │ └───► Witness ──► attempt, readers of answers   feeway-processor
//!    ▼
//! Report ──► table or JSON
//!    └─────► vouch ──► look-ups that are trusted       feeway-store
//! ```

mod attempted;
mod check;
mod checks;
mod confirm;
mod options;
mod report;
mod sight;
mod trial;
mod vouch;
mod wire;
mod words;

use std::io::Write;

pub use check::{Check, Finding, Rating};
pub use options::Options;
pub use report::Report;
pub use trial::certify;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The processor keeps to the contract, as far as was asked.
    Fits,
    /// It does not, or not everything that was asked could be told.
    DoesNotFit,
    /// Whoever was asked did not agree to post payments.
    NotRun,
}

/// The command line asks for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub(crate) String);

/// Carries out all that the options ask for and writes the verdict to `out`.
///
/// # Errors
/// [`Usage`] or [`SetUpError`](feeway_processor::SetUpError) when the options cannot be carried
/// out; others when the processor cannot be reached, Redis does not answer, or `out` cannot be
/// written.
pub async fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<Ending> {
    if !confirm::agrees(options)? {
        return Ok(Ending::NotRun);
    }
    let report = certify(options).await?;
    let vouched = vouch::vouch(options, &report).await?;
    report.write(options.json, vouched.as_ref(), out)?;
    out.flush()?;
    let is_refused = vouched.is_some_and(|vouched| vouched.refused.is_some());
    Ok(if report.fits() && !is_refused {
        Ending::Fits
    } else {
        Ending::DoesNotFit
    })
}
