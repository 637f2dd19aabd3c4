//! Speaks a payment processor's HTTP API and reads its answers.
//!
//! Does: a small set of kept connections per processor, with TLS or without, one POST, one
//! look-up, one question for its health; the notice of answers that came to the wrong request;
//! the reading of a processor from an option's text. Bare connections and readers of answers for programs that certify a processor.
//!
//! Does not: any policy. It never repeats a POST that may have been sent, never chooses a
//! processor, and never calls the processors' `/admin`.
//!
//! ```text
//! ProcessorClient ◄── HttpProcessor ──► Connections ──► hyper, one task each
//!                          │
//!                          ▼
//!                  wire format (JSON)
//! ```

mod access;
mod addresses;
mod authorization;
mod connections;
mod deployment;
mod endpoint;
mod exchange;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http_processor;
mod misdelivery;
mod processor_option;
mod retry_after;
mod shelf;
mod socket;
mod tls;
mod unasked;
mod wire_format;

pub use access::{Access, AuthorizationFileError, CaFileError, SetUpError};
pub use connections::BareStream;
pub use deployment::{Deployment, DeploymentError};
pub use endpoint::{EndpointError, normal_url};
pub use exchange::{BODY_LEN_MAX, BodyFault};
pub use http_processor::{
    HealthAnswer, HttpProcessor, HttpProcessorConfig, garbled_look_up, payment_body, read_health,
    read_look_up, read_post,
};
pub use processor_option::{
    ProcessorOption, ProcessorOptionError, order_processors, parse_processor, parse_processors,
    processor_parser,
};
