use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use feeway_attempt::attempt;
use feeway_domain::{
    CorrelationId, GetAnswer, Money, Outcome, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use feeway_processor::payment_body;
use tokio::time::Instant;
use uuid::Uuid;

use crate::wire::{Answer, Wire, look_up_answer, post_answer};

/// An attempt as Feeway makes it, and what was seen of it.
#[derive(Clone, Debug)]
pub(crate) struct Attempted {
    pub(crate) payment: Payment,
    pub(crate) requested_at: RequestedAt,
    /// What came back from the POST.
    pub(crate) answer: Answer,
    /// What the client read in it.
    pub(crate) said: PostAnswer,
    /// When the answer was there.
    pub(crate) answered_at: Instant,
    /// What the product concludes, with the look-ups that it makes at once.
    pub(crate) outcome: Outcome,
}

impl Attempted {
    /// Makes one attempt of a payment; `is_first` says that there was none before.
    pub(crate) async fn make(wire: &Wire, payment: Payment, is_first: bool) -> Self {
        let witness = Witness {
            wire: wire.clone(),
            posted: Mutex::default(),
        };
        let requested_at = now();
        let outcome = attempt(&witness, &payment, requested_at, is_first, false).await;
        let posted = witness.posted.into_inner();
        let (answer, said, answered_at) = posted
            .unwrap_or_else(PoisonError::into_inner)
            .expect("an attempt posts");
        Self {
            payment,
            requested_at,
            answer,
            said,
            answered_at,
            outcome,
        }
    }

    /// Whether the processor has said that it holds the payment.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.outcome, Outcome::Held(_))
    }
}

/// Sends for the product's `attempt`, and remembers what came back.
struct Witness {
    wire: Wire,
    posted: Mutex<Option<(Answer, PostAnswer, Instant)>>,
}

impl ProcessorClient for Witness {
    async fn post(&self, payment: &Payment, requested_at: RequestedAt) -> PostAnswer {
        let answer = self.wire.post(payment_body(payment, requested_at)).await;
        let said = post_answer(&answer, payment.id);
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        *posted = Some((answer, said, Instant::now()));
        said
    }

    async fn get(&self, id: CorrelationId) -> GetAnswer {
        look_up_answer(&self.wire.look_up(&id.to_string()).await, id)
    }
}

/// A payment that nobody has heard of.
pub(crate) fn new_payment(amount: Money) -> Payment {
    Payment {
        id: new_id(),
        amount,
    }
}

pub(crate) fn new_id() -> CorrelationId {
    CorrelationId::from_bytes(Uuid::new_v4().into_bytes())
}

/// The stamp of an attempt, as a front gives it.
pub(crate) fn now() -> RequestedAt {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    RequestedAt::from_micros(micros).unwrap_or(RequestedAt::MAX)
}
