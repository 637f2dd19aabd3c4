mod clients;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{CorrelationId, Doubt, Money, Payment, PostAnswer, RequestedAt};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

pub(crate) use clients::{Life, Posted};

/// The client's patience, as in the product.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// What a processor does to most of the posts it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mood {
    Fine,
    Slow(Duration),
    Failing,
    /// 429 that asks for a pause of so many seconds, if any.
    Limiting(u8),
    Declining,
    Refusing,
    /// 401, and nothing is stored.
    Locked,
    BadGateway,
    /// 202, or 200 with a body that says failed; stored now and then, also later.
    Ambiguous,
    /// Takes every POST and answers none, nor a look-up.
    Hanging,
    /// A proxy without a processor behind it: 503 to whatever it is asked.
    DeadProxy,
    ResetBeforeInsert,
    ResetAfterInsert,
    HangAfterInsert,
    InsertLate,
    ErrorAfterInsert,
    /// For good: nobody answers, and nobody is spared.
    Gone,
}

/// What a processor is like as long as it lives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Nature {
    /// How long its look-up does not find what was stored.
    pub(crate) lag: Duration,
    /// Of 100 payments so many are declined, always the same ones,
    pub(crate) declines: u8,
    /// with this status.
    pub(crate) status: u16,
    /// Of 100 payments so many always fail, always the same ones.
    pub(crate) poisons: u8,
    /// By so many microseconds the instants are wrong that its look-ups tell.
    pub(crate) off_micros: i64,
}

pub(crate) type Book = BTreeMap<CorrelationId, (Money, RequestedAt)>;

struct Inside {
    book: Book,
    nature: Nature,
    stored_at: BTreeMap<CorrelationId, Instant>,
    mood: Mood,
    rng: fastrand::Rng,
    requests: u64,
    posts: Vec<Posted>,
    /// Payments that an operator had barred: nothing of them is stored any more.
    barred: BTreeSet<CorrelationId>,
    /// Requests that are not at their end, whether or not somebody waits for them.
    inside: Vec<CorrelationId>,
    /// Lives of fronts that wait for an answer to a POST.
    waiting: Vec<Life>,
    /// Payments that may have got the answers to others.
    misdelivered: Vec<CorrelationId>,
}

/// A processor that lives on whatever becomes of its clients.
#[derive(Clone)]
pub(crate) struct ScriptedProcessor(Arc<Mutex<Inside>>, Arc<Notify>);

impl ScriptedProcessor {
    pub(crate) fn new(seed: u64) -> Self {
        let inside = Arc::new(Mutex::new(Inside {
            book: BTreeMap::new(),
            nature: Nature::default(),
            stored_at: BTreeMap::new(),
            mood: Mood::Fine,
            rng: fastrand::Rng::with_seed(seed),
            requests: 0,
            posts: Vec::new(),
            barred: BTreeSet::new(),
            inside: Vec::new(),
            waiting: Vec::new(),
            misdelivered: Vec::new(),
        }));
        Self(inside, Arc::default())
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    pub(crate) fn set_nature(&self, nature: Nature) {
        self.0.lock().unwrap().nature = nature;
    }

    pub(crate) fn lag(&self) -> Duration {
        self.0.lock().unwrap().nature.lag
    }

    /// Whether it never takes this payment, in whatever mood.
    pub(crate) fn never_takes(&self, id: CorrelationId) -> bool {
        let inside = self.0.lock().unwrap();
        let nature = inside.nature;
        declines(nature, id) || poisons(nature, id) || inside.barred.contains(&id)
    }

    /// Sees to it that a payment is never stored; false when it is.
    pub(crate) fn bar(&self, id: CorrelationId) -> bool {
        let mut inside = self.0.lock().unwrap();
        let is_held = inside.book.contains_key(&id);
        if !is_held {
            inside.barred.insert(id);
        }
        !is_held
    }

    pub(crate) fn finds(&self, id: CorrelationId) -> Option<(Money, RequestedAt)> {
        let inside = self.0.lock().unwrap();
        let stored_at = inside.stored_at.get(&id)?;
        let is_found = stored_at.elapsed() >= inside.nature.lag;
        let (amount, at) = *inside.book.get(&id).filter(|_| is_found)?;
        let told = at.micros() + inside.nature.off_micros;
        Some((amount, RequestedAt::from_micros(told).unwrap_or(at)))
    }

    pub(crate) fn book(&self) -> Book {
        self.0.lock().unwrap().book.clone()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.lock().unwrap().requests
    }

    /// Its client notices that this payment may have got the answer to another one.
    pub(crate) fn misdeliver(&self, id: CorrelationId) {
        self.0.lock().unwrap().misdelivered.push(id);
        self.1.notify_one();
    }

    /// The payments of which that was noticed since the last call; waits for some.
    pub(crate) async fn misdelivered(&self) -> Vec<CorrelationId> {
        loop {
            let ids = std::mem::take(&mut self.0.lock().unwrap().misdelivered);
            if !ids.is_empty() {
                return ids;
            }
            self.1.notified().await;
        }
    }

    /// False when the id was there already.
    pub(crate) fn insert(&self, payment: &Payment, requested_at: RequestedAt) -> bool {
        let mut inside = self.0.lock().unwrap();
        let is_known = inside.book.contains_key(&payment.id);
        let fresh = !is_known && !inside.barred.contains(&payment.id);
        if fresh {
            inside
                .book
                .insert(payment.id, (payment.amount, requested_at));
            inside.stored_at.insert(payment.id, Instant::now());
        }
        fresh
    }

    fn insert_or_refuse(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        if self.insert(payment, requested_at) {
            PostAnswer::Stored
        } else {
            PostAnswer::Duplicate { status: 422 }
        }
    }

    /// What it says to a payment that it never takes.
    fn refusal(&self, payment: &Payment) -> Option<PostAnswer> {
        let (nature, is_barred) = {
            let inside = self.0.lock().unwrap();
            (inside.nature, inside.barred.contains(&payment.id))
        };
        if is_barred {
            return Some(PostAnswer::Declined { status: 410 });
        }
        if poisons(nature, payment.id) {
            return Some(PostAnswer::Failing { status: 500 });
        }
        let status = nature.status;
        declines(nature, payment.id).then_some(match status {
            409 | 422 => PostAnswer::Duplicate { status },
            _ => PostAnswer::Declined { status },
        })
    }

    /// The mood that this request meets, and two random numbers below 1 000 for it.
    pub(crate) fn meet(&self) -> (Mood, u64, u64) {
        let mut inside = self.0.lock().unwrap();
        inside.requests += 1;
        let is_whole = matches!(inside.mood, Mood::Gone | Mood::DeadProxy | Mood::Hanging);
        let spared = inside.rng.u8(..100) < 15 && !is_whole;
        let mood = if spared { Mood::Fine } else { inside.mood };
        (mood, inside.rng.u64(..1000), inside.rng.u64(..1000))
    }

    /// One POST from its arrival to its end.
    pub(crate) async fn take(
        self,
        payment: Payment,
        at: RequestedAt,
        answer: oneshot::Sender<PostAnswer>,
    ) {
        self.clone().work_on(payment, at, answer).await;
        self.end_inside(payment.id);
    }

    /// One POST as it happens inside; an answer that is never sent leaves the client hanging.
    async fn work_on(self, payment: Payment, at: RequestedAt, answer: oneshot::Sender<PostAnswer>) {
        let (mood, first, second) = self.meet();
        sleep(Duration::from_micros(500 + 3 * first)).await;
        let refusal = self.refusal(&payment);
        let reply = match (mood, refusal) {
            (Mood::Refusing | Mood::Gone, _) => PostAnswer::Unreachable,
            (Mood::DeadProxy, _) => PostAnswer::Failing { status: 503 },
            (Mood::Hanging, _) => {
                sleep(2 * ATTEMPT_TIMEOUT).await;
                return drop(answer);
            }
            (Mood::Slow(delay), Some(refusal)) => {
                sleep(delay).await;
                refusal
            }
            (_, Some(refusal)) => refusal,
            (mood, None) => match self.treat(mood, payment, at, first, second).await {
                Treated::Answer(reply) => reply,
                Treated::Silence => return drop(answer),
                Treated::Late(lost, after) => {
                    // The client is gone by then: reset at once, or after its time-out.
                    if let Some(lost) = lost {
                        answer.send(PostAnswer::Lost(lost)).unwrap_or_default();
                        sleep(after).await;
                        self.insert(&payment, at);
                    } else {
                        sleep(ATTEMPT_TIMEOUT + after).await;
                        self.insert(&payment, at);
                        drop(answer);
                    }
                    return;
                }
            },
        };
        answer.send(reply).unwrap_or_default();
    }

    /// What becomes of a payment that it might take.
    async fn treat(
        &self,
        mood: Mood,
        payment: Payment,
        at: RequestedAt,
        first: u64,
        second: u64,
    ) -> Treated {
        let reply = match mood {
            Mood::Fine => self.insert_or_refuse(&payment, at),
            Mood::Slow(delay) => {
                sleep(delay).await;
                self.insert_or_refuse(&payment, at)
            }
            Mood::Failing => {
                sleep(Duration::from_millis(first)).await;
                PostAnswer::Failing { status: 500 }
            }
            Mood::Limiting(seconds) => {
                let retry_after = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
                PostAnswer::Overloaded { retry_after }
            }
            Mood::Declining => PostAnswer::Declined { status: 400 },
            Mood::Locked => PostAnswer::Misconfigured { status: 401 },
            Mood::Ambiguous => {
                if first < 300 {
                    self.insert(&payment, at);
                } else if first < 600 {
                    let (processor, delay) = (self.clone(), Duration::from_millis(10 * second));
                    self.begin_inside(payment.id);
                    tokio::spawn(async move {
                        sleep(delay).await;
                        processor.insert(&payment, at);
                        processor.end_inside(payment.id);
                    });
                }
                PostAnswer::Inconclusive
            }
            Mood::Refusing | Mood::Gone | Mood::DeadProxy | Mood::Hanging => {
                unreachable!("it takes nothing")
            }
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
                return Treated::Silence;
            }
            Mood::InsertLate => {
                let lost = (first < 500).then_some(Doubt::Reset);
                return Treated::Late(lost, Duration::from_millis(60 * second));
            }
            Mood::ErrorAfterInsert => {
                self.insert(&payment, at);
                if second < 500 {
                    PostAnswer::Failing { status: 503 }
                } else {
                    PostAnswer::Declined { status: 400 }
                }
            }
        };
        Treated::Answer(reply)
    }
}

enum Treated {
    Answer(PostAnswer),
    Silence,
    /// Stored so long after the client has gone, who was cut off or gave up.
    Late(Option<Doubt>, Duration),
}

fn declines(nature: Nature, id: CorrelationId) -> bool {
    let [.., last] = *id.as_bytes();
    last % 100 < nature.declines
}

fn poisons(nature: Nature, id: CorrelationId) -> bool {
    let [.., other, _] = *id.as_bytes();
    other % 100 < nature.poisons
}
