//! The HTTP front: parses, answers and sheds requests on port or socket.
//!
//! Does: HTTP/1.1 on TCP and Unix sockets with every limit towards clients; the routes,
//! statuses and bodies of the public contract; the process's configuration.
//!
//! Does not: decide anything about a payment; the worker keeps and routes it. Keep state.
//!
//! ```text
//! client ──► Server ──► App ──► Intake (the worker's gateway) ──► journal, lanes
//!                        └────► Store: summary, look-up, listing, purge
//! ```

mod admin;
mod answer;
mod app;
mod config;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod health_feed;
mod intake;
mod limits;
mod listen_address;
mod listener;
mod listing;
mod meters;
pub mod open_files;
mod payment_body;
mod payment_state;
mod problem;
mod query;
mod readiness;
mod request_body;
mod route;
mod server;
mod store_gauges;
mod stream;
mod summary;
mod unheard;
mod vitals;
mod window_query;

pub use admin::{Admin, admin_of};
pub use answer::{Answer, accepted};
pub use app::{App, AppSettings};
pub use config::{Config, DispatchOption, IntakeOption};
pub use intake::Intake;
pub use limits::Limits;
pub use listen_address::{ListenAddress, ListenAddressError};
pub use listener::BindError;
pub use payment_body::{PaymentBodyError, PaymentParser};
pub use readiness::Readiness;
pub use request_body::MAX_BODY_BYTES;
pub use server::Server;
pub use vitals::Vitals;
