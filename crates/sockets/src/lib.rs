//! Sockets between the processes of one machine.
//!
//! Does: read and write a Unix stream socket, and be woken only when there is something to
//! read.
//!
//! Does not: connect, listen, or know what is said over it.
//!
//! ```text
//! HAProxy ◄──► front ◄──► Redis
//!          ▲           ▲
//!          └── here ───┘
//! ```

mod quiet_stream;

pub use quiet_stream::QuietStream;
