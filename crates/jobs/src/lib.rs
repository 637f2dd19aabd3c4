//! What a front knows of the payments in its hands.
//!
//! Does: a job for each payment, with what ties it to a processor; the tenures under which jobs
//! are held; the registry that has each id in hand once; the lanes' queues; where a job may go
//! next; what is counted.
//!
//! Does not: talk to Redis, to processors or to clients.
//!
//! ```text
//! Tenure ──► Job ──► Dispatcher ──► router + board ──► which processor, or how long to wait
//!              └──► Registry: each id once
//! ```

/// Payments whose clients are answered before the journal has them.
pub mod answered;
pub mod bounds;
pub mod catch_up;
/// Where the stamps of attempts come from.
pub mod clock;
pub mod declines;
/// The queues by which payments get to the lanes.
pub mod dispatcher;
pub mod doubt;
/// A payment in hand.
pub mod job;
pub mod linger;
/// Whose look-ups are believed when they find nothing.
pub mod look_ups;
pub mod meters;
/// Where an accepted payment goes.
pub mod place;
/// The ids that are in hand.
pub mod registry;
pub mod router;
pub mod sabotage;
/// Tasks that end with the worker.
pub mod tasks;
/// Holds on owners, as this front has them.
pub mod tenure;
pub mod tied;
