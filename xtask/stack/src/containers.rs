//! The stack in containers: `compose.yaml` as it is, started and watched by the same commands
//! as a native stack.
//!
//! ```text
//! up ──► image ──► compose up: simulators, then the stack ──► containers.json
//!                                                                  │
//! down, status, logs, restart, the gauge ◄── engine's API ◄────────┘
//! ```

pub(crate) mod compose;
/// What the containers of a stack use of their limits.
pub mod gauge;
pub(crate) mod stack;
pub(crate) mod standing;
pub(crate) mod up;
