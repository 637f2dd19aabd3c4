//! End-to-end tests: whole stacks on ports of their own, as `cargo xtask up` starts them.

mod audit;
mod availability;
mod compare;
mod compose_file;
mod containers;
mod contract;
mod duplicates;
mod entrance;
mod failover;
mod http;
mod leaders;
mod lifecycle;
mod listing;
mod nginx;
mod openapi;
mod settlement;
mod stack;
mod supervision;
