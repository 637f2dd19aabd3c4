//! End-to-end tests: whole stacks on ports of their own, as `cargo xtask up` starts them.

mod availability;
mod compose_file;
mod containers;
mod contract;
mod duplicates;
mod entrance;
mod failover;
mod http;
mod leaders;
mod lifecycle;
mod nginx;
mod settlement;
mod stack;
mod supervision;
