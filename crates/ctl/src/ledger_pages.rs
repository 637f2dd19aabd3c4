//! A listing from its first line to its last, a page at a time.

use std::time::Duration;

use anyhow::Context;
use feeway_domain::{
    Cursor, Ledger, LedgerFault, Line, Listed, Listing, MAX_PAGE, RequestedAt, StoreFault, Window,
};
use tokio::time::sleep;

/// How often a read is tried again when the store does not answer, and how far apart.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

/// Reads a listing page by page.
pub(crate) struct LedgerPages<'a, S> {
    store: &'a S,
    listing: Listing,
    ended: bool,
}

impl<'a, S: Ledger> LedgerPages<'a, S> {
    pub(crate) fn new(store: &'a S, listed: Listed, window: Window) -> Self {
        let listing = Listing {
            listed,
            window,
            after: None,
            limit: MAX_PAGE,
        };
        Self {
            store,
            listing,
            ended: false,
        }
    }

    /// The next lines, perhaps none; nothing after the last page.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Vec<Line>>> {
        if self.ended {
            return Ok(None);
        }
        let page = list(self.store, &self.listing)
            .await
            .context("cannot read the ledger")?;
        let next: Option<Cursor> = page.next;
        self.ended = next.is_none();
        self.listing.after = next;
        Ok(Some(page.lines))
    }
}

/// The oldest instant of which every payment is kept, and whether there is one.
pub(crate) async fn oldest_kept(store: &impl Ledger) -> anyhow::Result<Option<RequestedAt>> {
    let beginning = Window::new(Some(RequestedAt::MIN), None).context("a window")?;
    let asked = Listing {
        listed: Listed::Settled,
        window: beginning,
        after: None,
        limit: 1,
    };
    match list(store, &asked).await {
        Ok(_) => Ok(None),
        Err(LedgerFault::TooOld { oldest }) => Ok(Some(oldest)),
        Err(fault @ LedgerFault::Store(_)) => Err(fault.into()),
    }
}

async fn list(store: &impl Ledger, listing: &Listing) -> Result<feeway_domain::Page, LedgerFault> {
    let mut tries = 1;
    loop {
        match store.list(listing).await {
            Err(LedgerFault::Store(
                StoreFault::Away | StoreFault::Closed | StoreFault::Unknown,
            )) if tries < TRIES => {
                tries += 1;
                sleep(PAUSE).await;
            }
            answered => return answered,
        }
    }
}
