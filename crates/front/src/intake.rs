use std::future::Future;

use feeway_domain::{Payment, ProcessorClient, Store};
use feeway_worker::{Gateway, NotKept, Submit};

use crate::answer::{self, Answer};
use crate::meters::Refused;
use crate::problem::{self, Problem, Refusal};

/// Where payments go in: the worker's gateway in the product, scripted in tests.
///
/// Dropping the returned future must not undo or cut in two what it began.
pub trait Intake: Send + Sync + 'static {
    /// Has a payment kept.
    fn submit(&self, payment: Payment) -> impl Future<Output = Submit> + Send;
}

impl<S: Store, C: ProcessorClient> Intake for Gateway<S, C> {
    fn submit(&self, payment: Payment) -> impl Future<Output = Submit> + Send {
        Gateway::submit(self, payment)
    }
}

/// Why a payment is not kept, as far as the worker is concerned.
pub(crate) fn refusal_of(submit: &Submit) -> Option<Refused> {
    match submit {
        Submit::Kept => None,
        Submit::Rejected(_) => Some(Refused::Rejected),
        Submit::AmountDiffers => Some(Refused::AmountDiffers),
        Submit::NotKept(NotKept::StoreAway) => Some(Refused::StoreAway),
        Submit::NotKept(NotKept::StoreClosed) => Some(Refused::StoreClosed),
        Submit::NotKept(NotKept::StandsStill(_)) => Some(Refused::StandsStill),
        Submit::NotKept(NotKept::JournalFull) => Some(Refused::JournalFull),
        Submit::NotKept(NotKept::MemoryFull) => Some(Refused::MemoryFull),
        Submit::NotKept(NotKept::Busy) => Some(Refused::Busy),
        Submit::Unknown => Some(Refused::FateUnknown),
    }
}

/// What the client is told about a payment.
pub(crate) fn answer_to(submit: &Submit) -> Result<Answer, Refusal> {
    let refusal = match submit {
        Submit::Kept => return Ok(answer::accepted()),
        Submit::Rejected(reason) => return Err(Problem::rejected(reason).into()),
        Submit::AmountDiffers => &problem::AMOUNT_DIFFERS,
        Submit::NotKept(NotKept::StandsStill(why)) => {
            return Err(Problem::stands_still(why).into());
        }
        Submit::NotKept(NotKept::StoreAway) => &problem::STORE_AWAY,
        Submit::NotKept(NotKept::StoreClosed) => &problem::STORE_CLOSED,
        Submit::NotKept(NotKept::MemoryFull) => &problem::MEMORY_FULL,
        Submit::NotKept(NotKept::JournalFull) => &problem::JOURNAL_FULL,
        Submit::NotKept(NotKept::Busy) => &problem::FRONT_BUSY,
        Submit::Unknown => &problem::FATE_UNKNOWN,
    };
    Err(refusal.into())
}
