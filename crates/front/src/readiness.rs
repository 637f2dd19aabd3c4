use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use feeway_domain::Standstill;
use tracing::info;

/// Whether a load balancer should send payments here: once the store's functions have been
/// loaded and the front has its place in the journal, until it is told to stop. A store that
/// goes away later does not count, for that would take every front out at once. What is wrong with
/// this front alone does.
#[derive(Debug, Default)]
pub struct Readiness {
    loaded: AtomicBool,
    draining: AtomicBool,
    standstill: OnceLock<Arc<Standstill>>,
}

impl Readiness {
    /// The store has been there, with its functions and a place in the journal.
    pub fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Relaxed);
    }

    /// Waits until `loaded` has come true, says so, and goes on waiting; it ends only if
    /// the store can never be used, or with what `refused` says. Cancel safe if both are.
    pub async fn follow<E>(
        &self,
        loaded: impl Future<Output = Result<(), E>>,
        refused: impl Future<Output = E>,
    ) -> Result<Infallible, E> {
        info!("waiting for Redis, to register in its journal");
        let ready = async {
            loaded.await?;
            self.set_loaded();
            info!("ready");
            std::future::pending().await
        };
        tokio::select! {
            failed = ready => failed,
            why = refused => Err(why),
        }
    }

    /// What tells whether something is wrong with this front alone.
    pub fn heed(&self, standstill: &Arc<Standstill>) {
        self.standstill.get_or_init(|| Arc::clone(standstill));
    }

    /// This front is shutting down.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether this front is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether payments should be sent here.
    pub fn is_ready(&self) -> bool {
        let is_fit = (self.standstill.get()).is_none_or(|standstill| !standstill.is_own());
        is_fit && self.loaded.load(Ordering::Relaxed) && !self.draining.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use feeway_domain::Cause;

    use super::*;

    #[test]
    fn ready_means_loaded_and_not_draining() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready());
        readiness.set_loaded();
        assert!(readiness.is_ready());
        readiness.set_draining();
        assert!(!readiness.is_ready());
        readiness.set_loaded();
        assert!(!readiness.is_ready());
    }

    #[test]
    fn a_cause_of_this_front_alone_makes_it_not_ready() {
        let (readiness, standstill) = (Readiness::default(), Arc::default());
        readiness.heed(&standstill);
        readiness.set_loaded();
        standstill.begin(Cause::Refusing, "it is a replica");
        assert!(readiness.is_ready());
        standstill.begin(Cause::Clock, "its clock is off");
        assert!(!readiness.is_ready());
        standstill.end(Cause::Clock);
        assert!(readiness.is_ready());
    }
}
