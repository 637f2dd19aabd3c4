use std::time::Duration;

use feeway_store::{Lease, RedisStore};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::meters::LeaseMeters;

/// How long the lease lives without renewal.
const LEASE_TTL: Duration = Duration::from_secs(3);

/// A third of its life: two renewals may fail before it is lost.
const RENEWAL: Duration = Duration::from_secs(1);

/// How often somebody else's lease is looked at: with 3 s of life it is taken over 3.25 s
/// after its last renewal, well before the next ask is due.
pub(crate) const STANDBY_PAUSE: Duration = Duration::from_millis(250);

/// No shorter pause before a lease that is about to end.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The pauses after Redis did not answer.
const FAULT_PAUSE: Duration = Duration::from_millis(100);
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What this process knows of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Not asked for yet.
    Unknown,
    /// It was ours a moment ago.
    Ours,
    /// Another process held it a moment ago.
    Others,
    /// Redis does not answer.
    Away,
}

/// Claims the lease again and again until it is told to stop. Does not vacate it.
pub(crate) async fn keep_claiming(
    store: RedisStore,
    token: String,
    standing: watch::Sender<Claim>,
    mut stop: watch::Receiver<bool>,
) {
    let meters = LeaseMeters::new();
    let mut fault_pause = FAULT_PAUSE;
    loop {
        let claimed = store.claim_lease(&token, LEASE_TTL).await;
        let (claim, pause) = match claimed {
            Ok(Lease::Ours) => (Claim::Ours, RENEWAL),
            Ok(Lease::Others { left }) => (Claim::Others, left.clamp(PAUSE_MIN, STANDBY_PAUSE)),
            Err(_) => (Claim::Away, fault_pause),
        };
        fault_pause = match claim {
            Claim::Away => (fault_pause * 2).min(FAULT_PAUSE_MAX),
            Claim::Unknown | Claim::Ours | Claim::Others => FAULT_PAUSE,
        };
        note(&standing, claim, &meters);
        tokio::select! {
            () = sleep(pause) => {}
            _ = stop.wait_for(|&stop| stop) => return,
        }
    }
}

fn note(standing: &watch::Sender<Claim>, claim: Claim, meters: &LeaseMeters) {
    let changed = standing.send_if_modified(|last| std::mem::replace(last, claim) != claim);
    if changed {
        let ours = claim == Claim::Ours;
        meters.held.set(if ours { 1.0 } else { 0.0 });
        meters.takeovers.increment(u64::from(ours));
    }
    match (changed, claim) {
        (false, _) | (true, Claim::Unknown) => {}
        (true, Claim::Ours) => info!("holding the lease: asking the processors"),
        (true, Claim::Others) => info!("another process holds the lease: standing by"),
        (true, Claim::Away) => warn!(
            "no connection to Redis: the processors are not asked for their health, payments go on"
        ),
    }
}
