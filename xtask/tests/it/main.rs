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
mod load;
mod metrics;
mod nginx;
mod openapi;
mod quiet_log;
mod rolling_restart;
mod scrape;
mod settlement;
mod stack;
mod supervision;
