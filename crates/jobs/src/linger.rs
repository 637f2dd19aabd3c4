//! How long a payment that may be sent waits for others that may be, and whether it still may
//! be sent then.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::dispatcher::{Dealt, Slot};

/// How long the first of several lingers. Clients come in bursts, and the ones that came
/// with it are answered by then: what sending and settling cost is paid when nobody waits,
/// and in steps that several payments share. More of it is cheaper still, but what is in flight
/// when a processor begins to fail is the first to tell, so there should always be something.
const LINGER: Duration = Duration::from_millis(10);

/// When so many linger, they go: at thousands a second there is company enough, and each
/// holds one of the processor's permits.
const ENOUGH: usize = 32;

/// Payments that were kept a moment ago and may be sent.
#[derive(Debug, Default)]
pub struct Linger {
    lingering: Mutex<Vec<(Slot, Dealt)>>,
    begun: Notify,
}

impl Linger {
    /// Sends a payment to its lane, together with those that come after it.
    pub fn send(&self, slot: Slot, dealt: Dealt) {
        let mut lingering = self.lingering();
        // When one has no permit, nobody else should hold one in idleness; and for a probe
        // everybody waits.
        let permit = dealt.permit.as_ref();
        let may_linger = permit.is_some_and(|permit| !permit.is_probe());
        lingering.push((slot, dealt));
        if !may_linger || lingering.len() == ENOUGH {
            go(&mut lingering);
        } else if lingering.len() == 1 {
            self.begun.notify_one();
        }
    }

    /// Sends those whose time has come. Never ends; what lingers when it is dropped stays in
    /// the journal.
    pub async fn send_for_ever(&self) {
        loop {
            self.begun.notified().await;
            sleep(LINGER).await;
            go(&mut self.lingering());
        }
    }

    fn lingering(&self) -> MutexGuard<'_, Vec<(Slot, Dealt)>> {
        // Nothing panics while holding it.
        self.lingering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose processor has begun to fail or to be slow gives its permit back and is routed anew by
/// its lane. It may go elsewhere although its entry names that processor: this front never
/// asked it.
fn go(lingering: &mut Vec<(Slot, Dealt)>) {
    let now = Instant::now();
    for (slot, mut dealt) in lingering.drain(..) {
        dealt.permit = dealt.permit.filter(|permit| permit.is_worth_using(now));
        slot.send(dealt);
    }
}
