//! When a payment may be posted again whose last attempt there has no answer.

use std::time::Duration;

use feeway_domain::Doubt;
use tokio::time::Instant;

use crate::job::Job;

/// At most one attempt a minute that may leave a ghost: a request that goes on inside the
/// processor, with one of its permits, after we gave up on it.
const GHOST_INTERVAL: Duration = Duration::from_secs(60);

/// Notes an attempt that ended in doubt, and with it when the next may start. What was cut off
/// or answered by something in between has most likely left nothing behind, so it rests as
/// after a no.
pub fn note_doubt(job: &mut Job, doubt: Doubt, now: Instant) {
    match doubt {
        Doubt::TimedOut | Doubt::Unconfirmed => job.ghost_until = Some(now + GHOST_INTERVAL),
        Doubt::Reset | Doubt::Unclear | Doubt::Redirected { .. } => {}
    }
}
