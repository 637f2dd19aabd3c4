//! Makes sure that no front lives, before anything is decided without asking them.

use std::time::Duration;

use feeway_domain::{Custody, Fronts, HEARTBEAT, LAPSE, Resolutions, StoreFault};
use tokio::time::{Instant, sleep};

use crate::patience::{PATIENCE, PAUSE};

/// How long nobody must be heard of by our own clock, Redis answering all the time. A living
/// front beats every second, so it cannot go unheard for so long.
pub(crate) const WATCH: Duration = LAPSE.saturating_add(HEARTBEAT);

/// Sees for [`WATCH`] that nobody beats and nobody takes anything over. Returns who owns what
/// meanwhile; nothing when somebody was heard of.
pub(crate) async fn watch(store: &impl Resolutions) -> Result<Option<Fronts>, StoreFault> {
    let give_up = Instant::now() + PATIENCE;
    let mut since = Instant::now();
    let mut seen: Option<Fronts> = None;
    loop {
        match store.fronts().await {
            Ok(now) => {
                let is_heard_of = seen.as_ref().is_some_and(|seen| !is_unchanged(seen, &now));
                if is_heard_of || !now.living().is_empty() {
                    return Ok(None);
                }
                let seen = seen.get_or_insert(now);
                if since.elapsed() >= WATCH {
                    return Ok(Some(seen.clone()));
                }
            }
            Err(fault) if Instant::now() > give_up => return Err(fault),
            // Fronts may have been unable to beat as well: the silence counts from now on.
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                since = Instant::now();
            }
        }
        sleep(PAUSE).await;
    }
}

fn is_unchanged(seen: &Fronts, now: &Fronts) -> bool {
    let seen = seen.owners.iter().map(|owner| (&owner.hold, owner.beat));
    seen.eq(now.owners.iter().map(|owner| (&owner.hold, owner.beat)))
}

/// A custody as it was while nobody was heard of.
pub(crate) fn as_watched(custody: &Custody, fronts: &Fronts) -> Custody {
    let mut owners = fronts.owners.iter();
    let owner = owners.find(|owner| owner.hold.owner == custody.entry.owner);
    Custody {
        entry: custody.entry.clone(),
        hold: owner.map(|owner| owner.hold.clone()),
        beat: owner.and_then(|owner| owner.beat),
        now: fronts.now,
    }
}
