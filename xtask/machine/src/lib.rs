//! What the tools of this repository ask of the machine that they run on.
//!
//! Does: find, install and build programs; start from a known time; choose ports; signal
//! processes by more than a number; read and write files whole; speak HTTP/1.1 and ask a
//! server whether it is ready.
//!
//! Does not: know what a stack is made of.

/// Our own programs: built, and copied to where a stack runs them.
pub mod binaries;
/// The monotonic clock, and bounded waits.
pub mod clock;
/// A Docker engine, asked through its own API.
pub mod docker;
/// Files that are read and written whole, and the root of the repository.
pub mod files;
pub mod http_client;
pub mod interrupt;
pub mod k6;
/// Ports that are free.
pub mod ports;
/// Processes, named so that a signal never reaches another one.
pub mod process_id;
/// Servers and tools of the system: found, or installed.
pub mod programs;
/// Where a process listens, and whether it is ready for work.
pub mod readiness;
