use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Doubt, GetAnswer, Money, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::gate::Gate;

/// The client's patience, as in the product.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a processor does to most of the posts it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mood {
    Fine,
    Slow(Duration),
    Failing,
    Overloaded,
    Malformed,
    Refusing,
    BadGateway,
    ResetBeforeInsert,
    ResetAfterInsert,
    HangAfterInsert,
    InsertLate,
    ErrorAfterInsert,
    /// For good: nobody answers, and nobody is spared.
    Gone,
}

pub(crate) type Book = BTreeMap<CorrelationId, (Money, RequestedAt)>;

struct Inside {
    book: Book,
    mood: Mood,
    rng: fastrand::Rng,
    requests: u64,
}

/// A processor that lives on whatever becomes of its clients.
#[derive(Clone)]
pub(crate) struct ScriptedProcessor(Arc<Mutex<Inside>>);

impl ScriptedProcessor {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            book: BTreeMap::new(),
            mood: Mood::Fine,
            rng: fastrand::Rng::with_seed(seed),
            requests: 0,
        })))
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    pub(crate) fn book(&self) -> Book {
        self.0.lock().unwrap().book.clone()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.lock().unwrap().requests
    }

    /// False when the id was there already.
    fn insert(&self, payment: &Payment, requested_at: RequestedAt) -> bool {
        let mut inside = self.0.lock().unwrap();
        let fresh = !inside.book.contains_key(&payment.id);
        if fresh {
            inside
                .book
                .insert(payment.id, (payment.amount, requested_at));
        }
        fresh
    }

    fn insert_or_refuse(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        if self.insert(payment, requested_at) {
            PostAnswer::Stored
        } else {
            PostAnswer::Duplicate
        }
    }

    /// The mood that this request meets, and two random numbers below 1 000 for it.
    fn meet(&self) -> (Mood, u64, u64) {
        let mut inside = self.0.lock().unwrap();
        inside.requests += 1;
        let spared = inside.rng.u8(..100) < 15 && inside.mood != Mood::Gone;
        let mood = if spared { Mood::Fine } else { inside.mood };
        (mood, inside.rng.u64(..1000), inside.rng.u64(..1000))
    }

    /// One POST as it happens inside; an answer that is never sent leaves the client hanging.
    async fn take(self, payment: Payment, at: RequestedAt, answer: oneshot::Sender<PostAnswer>) {
        let (mood, first, second) = self.meet();
        sleep(Duration::from_micros(500 + 3 * first)).await;
        let reply = match mood {
            Mood::Fine => self.insert_or_refuse(&payment, at),
            Mood::Slow(delay) => {
                sleep(delay).await;
                self.insert_or_refuse(&payment, at)
            }
            Mood::Failing => {
                sleep(Duration::from_millis(first)).await;
                PostAnswer::Failing
            }
            Mood::Overloaded => PostAnswer::Overloaded,
            Mood::Malformed => PostAnswer::Malformed,
            Mood::Refusing | Mood::Gone => PostAnswer::Unreachable,
            Mood::BadGateway => {
                if first < 500 {
                    self.insert(&payment, at);
                }
                PostAnswer::Lost(Doubt::Unclear)
            }
            Mood::ResetBeforeInsert => PostAnswer::Lost(Doubt::Reset),
            Mood::ResetAfterInsert => {
                self.insert(&payment, at);
                PostAnswer::Lost(Doubt::Reset)
            }
            Mood::HangAfterInsert => {
                self.insert(&payment, at);
                sleep(2 * ATTEMPT_TIMEOUT).await;
                return drop(answer);
            }
            Mood::InsertLate => {
                // The client is gone by then: reset at once, or after its time-out.
                if first < 500 {
                    answer
                        .send(PostAnswer::Lost(Doubt::Reset))
                        .unwrap_or_default();
                    sleep(Duration::from_millis(60 * second)).await;
                    self.insert(&payment, at);
                } else {
                    sleep(ATTEMPT_TIMEOUT + Duration::from_millis(60 * second)).await;
                    self.insert(&payment, at);
                    drop(answer);
                }
                return;
            }
            Mood::ErrorAfterInsert => {
                self.insert(&payment, at);
                PostAnswer::Failing
            }
        };
        answer.send(reply).unwrap_or_default();
    }
}

/// One front's line to a processor.
pub(crate) struct Line {
    pub(crate) processor: ScriptedProcessor,
    pub(crate) gate: Gate,
}

impl ProcessorClient for Line {
    async fn post(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        self.gate.pass().await;
        let (answer, answered) = oneshot::channel();
        // A task of the processor's own: it goes on when the front is gone.
        tokio::spawn(self.processor.clone().take(*payment, requested_at, answer));
        let answer = match timeout(ATTEMPT_TIMEOUT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_hung_up)) => PostAnswer::Lost(Doubt::Reset),
            Err(_elapsed) => PostAnswer::Lost(Doubt::TimedOut),
        };
        self.gate.pass().await;
        answer
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        self.gate.pass().await;
        let (mood, first, second) = self.processor.meet();
        sleep(Duration::from_micros(300 + first)).await;
        let unclear = match mood {
            Mood::Overloaded | Mood::Refusing | Mood::Gone => true,
            Mood::BadGateway | Mood::ResetBeforeInsert | Mood::ResetAfterInsert => second < 500,
            Mood::Fine
            | Mood::Slow(_)
            | Mood::Failing
            | Mood::Malformed
            | Mood::HangAfterInsert
            | Mood::InsertLate
            | Mood::ErrorAfterInsert => false,
        };
        let answer = match self.processor.book().get(&id) {
            _ if unclear => GetAnswer::Unclear,
            Some(&(amount, requested_at)) => GetAnswer::Held {
                amount,
                requested_at,
            },
            None => GetAnswer::Absent,
        };
        self.gate.pass().await;
        answer
    }
}
