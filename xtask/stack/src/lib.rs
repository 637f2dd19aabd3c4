//! A Feeway stack on this machine: planned, started, watched, stopped.
//!
//! Does: everything between a clone of this repository and a stack that takes payments, as one
//! would run it: servers with their configuration, a supervisor, logs, or the same in containers.
//!
//! Does not: know any product crate. It talks to processes by their command lines and their
//! ports only.
//!
//! ```text
//! up ──► plan.json ──► supervise ──► redis, nats, simulators, leaders, fronts, haproxy
//!                          │
//! down, status, restart ◄──┴─ state.json
//! ```

pub mod containers;
/// Stops a stack.
pub mod down;
pub mod halt;
/// Builds the container image.
pub mod image;
/// Prints and follows the logs of a stack.
pub mod logs;
/// What a stack is to consist of, written down before anything starts.
pub mod plan;
pub mod private_stack;
/// What runs of a stack at this moment, written down by the supervisor.
pub mod record;
/// Restarts one process.
pub mod restart;
pub mod simulators;
/// The folder of a stack.
pub mod stack_dir;
/// Shows each process of a stack.
pub mod status;
pub mod supervisor;
pub mod up;
