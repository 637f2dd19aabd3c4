use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feeway_domain::CorrelationId;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{debug, error};

/// The most payments that are posted on one connection: so many ids of 16 bytes are
/// remembered for each.
const POSTS_MAX: usize = 512;

/// Whether one processor's answers come to the requests that they belong to.
///
/// HTTP/1.1 has no numbers: on a kept connection the next bytes are the answer to the next
/// request. A processor, or something before it, that answers one request twice makes every
/// later answer on that connection that of an earlier request, until nobody has asked and yet
/// an answer comes. From then on no connection to it is used twice.
pub(crate) struct Misdelivery {
    processor: String,
    is_known: AtomicBool,
    /// Only connections from before the first event add to it, each once: at most 512 ids for
    /// each connection that was open or had just been retired.
    affected: Mutex<VecDeque<Vec<CorrelationId>>>,
    news: Notify,
}

impl Misdelivery {
    pub(crate) fn new(processor: String) -> Self {
        Self {
            processor,
            is_known: AtomicBool::new(false),
            affected: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// Whether an answer ever came to the wrong request.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    /// The payments that were posted on the next connection concerned and answered. Cancel safe.
    pub(crate) async fn next(&self) -> Vec<CorrelationId> {
        loop {
            // Before the look, so that nothing comes in between.
            let news = self.news.notified();
            let next = lock(&self.affected).pop_front();
            match next {
                Some(ids) => return ids,
                None => news.await,
            }
        }
    }

    fn report(&self, ids: Vec<CorrelationId>) {
        self.is_known.store(true, Ordering::Release);
        error!(
            processor = self.processor,
            payments = ids.len(),
            "the processor sent an unrequested answer, or another payment's: these payments may \
             have got each other's answers and are looked up; from now on each request to it has a \
             connection of its own"
        );
        if !ids.is_empty() {
            lock(&self.affected).push_back(ids);
            self.news.notify_one();
        }
    }
}

/// What one connection has carried.
pub(crate) struct Record {
    misdelivery: Arc<Misdelivery>,
    /// Whether it may carry more than one request.
    is_kept: bool,
    /// From then on it carries no further request.
    retires_at: Instant,
    posts: AtomicUsize,
    /// The payments whose POST was answered on it; nothing once they were handed out.
    answered: Mutex<Option<Vec<CorrelationId>>>,
    /// Whether anything was ever written, and since the last answer.
    was_used: AtomicBool,
    is_used: AtomicBool,
    /// Whether the socket itself is to be asked before the next request is written.
    is_look_due: AtomicBool,
}

impl Record {
    /// Of a connection that is about to be opened and carries requests for so long.
    pub(crate) fn new(misdelivery: &Arc<Misdelivery>, life: Duration) -> Self {
        Self {
            misdelivery: Arc::clone(misdelivery),
            is_kept: !misdelivery.is_known(),
            retires_at: Instant::now() + life,
            posts: AtomicUsize::new(0),
            answered: Mutex::new(Some(Vec::new())),
            was_used: AtomicBool::new(false),
            is_used: AtomicBool::new(false),
            is_look_due: AtomicBool::new(false),
        }
    }

    /// Whether the connection is kept for one request after the other, at least for a while.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Whether it has carried all that it may, or for as long as it may.
    pub(crate) fn is_spent(&self) -> bool {
        self.posts.load(Ordering::Relaxed) >= POSTS_MAX || Instant::now() >= self.retires_at
    }

    /// A payment is about to be posted on it.
    pub(crate) fn count_post(&self) {
        self.posts.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the POST of a payment was answered, with yes or no, so that it is handed out
    /// when an answer turns out to have come to the wrong request. False when one already has:
    /// then the payment is not noted, and a yes proves nothing by itself.
    pub(crate) fn note_answered(&self, id: CorrelationId) -> bool {
        let mut answered = lock(&self.answered);
        match &mut *answered {
            Some(answered) if !self.misdelivery.is_known() => {
                answered.push(id);
                true
            }
            Some(_) | None => false,
        }
    }

    /// An answer came to the wrong request, or to none.
    pub(crate) fn misdelivered(&self) {
        if !self.is_kept {
            // It carried one request, so its answers are those to that one.
            let processor = &self.misdelivery.processor;
            debug!(
                processor,
                "an unrequested answer, or another payment's, on a new connection"
            );
            return;
        }
        // Held, so that no payment is noted between.
        let mut answered = lock(&self.answered);
        if let Some(ids) = answered.take() {
            self.misdelivery.report(ids);
        }
    }

    /// The connection is open; what was written so far is none of our requests.
    pub(crate) fn opened(&self) {
        self.was_used.store(false, Ordering::Relaxed);
        self.answered();
    }

    /// Something is written.
    pub(crate) fn wrote(&self) {
        self.was_used.store(true, Ordering::Relaxed);
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// The answer has been read in full.
    pub(crate) fn answered(&self) {
        self.is_used.store(false, Ordering::Relaxed);
    }

    /// Whether any request was ever written.
    pub(crate) fn was_used(&self) -> bool {
        self.was_used.load(Ordering::Relaxed)
    }

    /// Whether a request was written whose answer has not been read.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }

    /// It is about to carry a request after it has rested.
    pub(crate) fn taken(&self) {
        self.is_look_due.store(true, Ordering::Relaxed);
    }

    /// Whether the socket is to be asked now; true once.
    pub(crate) fn takes_look(&self) -> bool {
        self.is_look_due.load(Ordering::Relaxed) && self.is_look_due.swap(false, Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn id(number: u8) -> CorrelationId {
        CorrelationId::from_bytes([number; 16])
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_from_before_hands_its_payments_out_once() {
        let misdelivery = Arc::new(Misdelivery::new("http://a".to_owned()));
        let [first, second, empty] = [(); 3].map(|()| Record::new(&misdelivery, LIFE));
        assert!(
            first.note_answered(id(1)) && first.note_answered(id(2)) && second.note_answered(id(3))
        );
        let none = timeout(Duration::from_secs(1), misdelivery.next()).await;
        assert!(none.is_err(), "{none:?}");

        let waiting = {
            let misdelivery = Arc::clone(&misdelivery);
            tokio::spawn(async move { misdelivery.next().await })
        };
        tokio::task::yield_now().await;
        first.misdelivered();
        first.misdelivered();
        assert_eq!(waiting.await.unwrap(), [id(1), id(2)]);
        assert!(!first.note_answered(id(4)) && !second.note_answered(id(5)));
        second.misdelivered();
        empty.misdelivered();
        assert_eq!(misdelivery.next().await, [id(3)]);

        let later = Record::new(&misdelivery, LIFE);
        assert!(!later.is_kept() && !later.note_answered(id(6)));
        later.misdelivered();
        let none = timeout(Duration::from_secs(1), misdelivery.next()).await;
        assert!(none.is_err(), "{none:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_spent_when_its_time_is_over() {
        let record = Record::new(&Arc::new(Misdelivery::new("http://a".to_owned())), LIFE);
        assert!(!record.is_spent());
        advance(LIFE - Duration::from_millis(1)).await;
        assert!(!record.is_spent());
        advance(Duration::from_millis(1)).await;
        assert!(record.is_spent());
    }

    #[test]
    fn a_connection_is_spent_after_so_many_payments() {
        let record = Record::new(&Arc::new(Misdelivery::new("http://a".to_owned())), LIFE);
        for _ in 0..POSTS_MAX {
            assert!(!record.is_spent());
            record.count_post();
        }
        assert!(record.is_spent());
    }

    #[test]
    fn the_socket_is_asked_once_for_each_time_it_is_taken() {
        let record = Record::new(&Arc::new(Misdelivery::new("http://a".to_owned())), LIFE);
        assert!(!record.takes_look());
        record.taken();
        assert!(record.takes_look() && !record.takes_look());
    }
}
