use std::sync::Arc;

use feeway_domain::{CorrelationId, Money, RequestedAt, Total, Window};

use crate::chaos::Chaos;
use crate::rules::Rules;
use crate::state::State;

/// The switches and the books of a simulator in the same process, for tests: what an
/// administrator can do, without HTTP. A clone is the same simulator.
#[derive(Clone)]
pub struct Control {
    state: Arc<State>,
}

impl Control {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Sets how long each payment waits before it is stored, in milliseconds.
    pub fn set_delay_ms(&self, delay_ms: u32) {
        self.state.switches.set_delay_ms(delay_ms);
    }

    /// Sets the failure switch.
    pub fn set_failing(&self, failing: bool) {
        self.state.switches.set_failing(failing);
    }

    /// Sets all chaos settings, the dice's seed too, and waits until the listening socket
    /// obeys them: for a second at most, so also when the simulator does not run.
    pub async fn set_chaos(&self, chaos: Chaos) {
        self.state.set_chaos(chaos, true).await;
    }

    /// Puts rules in force, in the place of all that there were.
    pub fn set_rules(&self, rules: Rules) {
        self.state.set_rules(rules);
    }

    /// How many POSTs and how many look-ups there were for an id since the last purge.
    pub fn requests(&self, id: CorrelationId) -> (u32, u32) {
        let counts = self.state.seen().counts(id);
        (counts.posts, counts.look_ups)
    }

    /// Empties the books.
    pub fn purge(&self) {
        self.state.purge();
    }

    /// The amount and the instant of a payment that is in the books.
    pub fn find(&self, id: CorrelationId) -> Option<(Money, RequestedAt)> {
        let held = self.state.books().find(id)?;
        Some((held.amount, held.requested_at))
    }

    /// What the books hold in a window.
    pub fn total(&self, window: Window) -> Total {
        self.state.books().total(window)
    }

    /// How many payments were posted since the start, whatever became of them.
    pub fn posts(&self) -> u64 {
        self.state.stats().counts.posts
    }

    /// How many of them were answered with 422.
    pub fn duplicates(&self) -> u64 {
        self.state.stats().counts.duplicates
    }

    /// How many requests hold a permit now.
    pub fn working(&self) -> usize {
        self.state.permits.working()
    }

    /// How many requests wait for a permit now.
    pub fn queued(&self) -> usize {
        self.state.permits.queued()
    }

    /// When the health was asked, in microseconds since 1970: the latest 10 000 arrivals.
    pub fn asks(&self) -> Vec<i64> {
        self.state.asks().arrivals()
    }
}
