//! What a payment is: the words, values and contracts that every other crate shares.
//!
//! Does: checked values (money, ids, instants, fees), the outcome of an attempt, the
//! replies of the journal and the ledger, and the two contracts that have more than one
//! implementation: [`Store`] and [`ProcessorClient`].
//!
//! Does not: any I/O, any wire format (each edge owns its own), any clock.
//!
//! ```text
//! front, worker, store, processor, health, simulator ──► domain ──► nothing of ours
//! ```
#![warn(
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::arithmetic_side_effects
)]

mod correlation_id;
mod health_report;
mod in_hand;
mod journal;
mod ledger;
mod listing;
mod money;
mod outcome;
mod payment;
mod possible;
mod processor;
mod processor_client;
mod requested_at;
mod resolution;
mod restamp;
mod secret;
mod site;
mod stand_back;
mod standstill;
mod statement;
mod store;

pub use correlation_id::{CorrelationId, CorrelationIdError};
pub use health_report::HealthReport;
pub use in_hand::InHand;
pub use journal::{
    Accept, Adopt, Beat, Entry, Freed, HEARTBEAT, Hold, Incarnation, JournalTime, LAPSE, MAX_FREED,
    Note, Reject, Rename,
};
pub use ledger::{
    LedgerFault, PaymentState, Purge, Retire, Settle, Settlement, Status, Summary, Window,
    WindowError,
};
pub use listing::{Cursor, Line, Listed, Listing, MAX_PAGE, Page};
pub use money::{Money, MoneyError, Total};
pub use outcome::{Doubt, No, Outcome, Refusal};
pub use payment::Payment;
pub use possible::{CLOCK_SLIP, Possible};
pub use processor::{Fee, FeeError, MAX_PROCESSORS, Processor, ProcessorName, ProcessorNameError};
pub use processor_client::{GetAnswer, PostAnswer, ProcessorClient, Unreadable};
pub use requested_at::{RequestedAt, RequestedAtError};
pub use resolution::{
    Case, Custody, Decided, MAX_RESOLUTIONS, Proof, RELEASED, Reopen, Resolution, Resolutions,
    Resolve, Verdict,
};
pub use restamp::{MAX_RESTAMPED, Restamp, Restamped};
pub use secret::{Secret, without_credentials};
pub use site::{Census, Enlist, Known, MAX_URLS, Relocation, Site};
pub use stand_back::{Confirm, Fronts, Owner, StandBack};
pub use standstill::{Cause, Standstill};
pub use statement::{
    InRun, MAX_RUN_PAYMENTS, MAX_RUNS, RecordedRun, Run, RunPage, RunPayment, Stated, Undo, Undone,
};
pub use store::{Ledger, Store, StoreFault};
