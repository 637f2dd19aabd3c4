//! Payments whose clients are answered before the journal has them.

use std::sync::{Arc, Mutex, PoisonError};

use feeway_domain::Payment;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::place::Place;

/// How many there are at most, and so how many a front that is killed takes with it.
const MOST: u32 = 512;

/// When so many are there, the journal gets them. One step takes as many.
const ENOUGH: usize = 64;

/// Payments that were promised and are not in the journal.
#[derive(Debug)]
pub struct Answered {
    room: Arc<Semaphore>,
    /// Those that are not on their way into the journal.
    waiting: Mutex<Vec<Promise>>,
    begun: Notify,
    enough: Notify,
}

/// One of them.
#[derive(Debug)]
pub struct Promise {
    /// What is to be paid.
    pub payment: Payment,
    /// Where it goes once the journal has it.
    pub place: Place,
    /// Its part of the room.
    _room: OwnedSemaphorePermit,
}

impl Default for Answered {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(MOST as usize)),
            waiting: Mutex::default(),
            begun: Notify::new(),
            enough: Notify::new(),
        }
    }
}

impl Answered {
    /// Promises to keep a payment, or gives its place back when there is no room.
    pub fn take(&self, payment: Payment, place: Place) -> Result<(), Place> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(place);
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(Promise {
            payment,
            place,
            _room: room,
        });
        match waiting.len() {
            1 => self.begun.notify_one(),
            ENOUGH => self.enough.notify_one(),
            _ => {}
        }
        Ok(())
    }

    /// How many are not in the journal.
    pub fn count(&self) -> usize {
        MOST as usize - self.room.available_permits()
    }

    /// Waits until there are none. Cancel safe.
    pub async fn none_left(&self) {
        // It is never closed.
        drop(self.room.acquire_many(MOST).await);
    }

    /// Takes all that are not on their way into the journal.
    pub fn take_all(&self) -> Vec<Promise> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting)
    }

    /// Waits for the first of some. Cancel safe.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }

    /// Waits until there are so many that they should go. Cancel safe.
    pub async fn enough(&self) {
        self.enough.notified().await;
    }
}
