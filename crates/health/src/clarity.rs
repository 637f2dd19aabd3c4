//! Whether a processor answers what it is asked, and who probes it when it does not.

use std::time::Duration;

use tokio::time::Instant;

/// The longest pause between two probes by payments that the processor has already.
const TIED_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The longest pause between two probes by payments that it never saw.
const FRESH_PAUSE_MAX: Duration = Duration::from_secs(30);

/// An attempt without an answer, or one that no look-up can settle, keeps its payment: nobody
/// knows whether the processor has it. So while that goes on a processor is probed by the
/// payments that it keeps anyway, and only without any by a fresh one, ever more seldom.
#[derive(Debug)]
pub(crate) struct Clarity {
    /// The last attempt ended without an answer.
    is_attempt_silent: bool,
    /// The last look-up had no usable answer.
    is_look_up_silent: bool,
    /// Payments tied to the processor that may be posted there.
    tied: usize,
    /// The present pause between probes; doubled by each.
    pause: Duration,
    next_fresh: Instant,
}

impl Clarity {
    pub(crate) fn new(first_pause: Duration, now: Instant) -> Self {
        Self {
            is_attempt_silent: false,
            is_look_up_silent: false,
            tied: 0,
            pause: first_pause,
            next_fresh: now,
        }
    }

    pub(crate) fn is_unclear(&self) -> bool {
        self.is_attempt_silent || self.is_look_up_silent
    }

    pub(crate) fn answers_look_ups(&self) -> bool {
        !self.is_look_up_silent
    }

    /// When a payment that the processor never saw may probe it; never while others may that
    /// it has seen.
    pub(crate) fn next_fresh(&self) -> Option<Instant> {
        (self.tied == 0).then_some(self.next_fresh)
    }

    /// A probe starts. Returns after how long the next may.
    pub(crate) fn probed(&mut self, interval: Duration, now: Instant) -> Duration {
        if !self.is_unclear() {
            return interval;
        }
        let pause = self.pause.max(interval);
        self.pause = (pause * 2).min(FRESH_PAUSE_MAX.max(interval));
        self.next_fresh = now + pause;
        pause.min(TIED_PAUSE_MAX.max(interval))
    }

    /// The pauses begin anew.
    pub(crate) fn restart(&mut self, first_pause: Duration, now: Instant) {
        self.pause = first_pause;
        self.next_fresh = now + first_pause;
    }

    /// There is news: the next probe need not wait.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.next_fresh = self.next_fresh.min(now);
    }

    pub(crate) fn attempt_answered(&mut self) {
        self.is_attempt_silent = false;
    }

    pub(crate) fn attempt_unanswered(&mut self, first_pause: Duration, now: Instant) {
        if !self.is_unclear() {
            self.restart(first_pause, now);
        }
        self.is_attempt_silent = true;
    }

    /// Notes how a look-up went. True when it was answered and the one before was not.
    pub(crate) fn looked_up(
        &mut self,
        answered: bool,
        first_pause: Duration,
        now: Instant,
    ) -> bool {
        let was_silent = self.is_look_up_silent;
        if answered {
            self.is_look_up_silent = false;
            if was_silent {
                self.hurry(now);
            }
        } else {
            if !self.is_unclear() {
                self.restart(first_pause, now);
            }
            self.is_look_up_silent = true;
        }
        answered && was_silent
    }

    pub(crate) fn tie(&mut self) {
        self.tied += 1;
    }

    /// True when none is left.
    pub(crate) fn untie(&mut self) -> bool {
        self.tied = self.tied.saturating_sub(1);
        self.tied == 0
    }
}
