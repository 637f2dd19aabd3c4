//! End-to-end tests: whole stacks on ports of their own, as `cargo xtask up` starts them.

mod answers;
// One table for the front alone and for the front behind HAProxy.
#[path = "../../../crates/front/tests/it/attacks.rs"]
mod attacks;
mod audit;
mod availability;
mod by_hand;
mod compare;
mod compose_file;
mod containers;
mod contract;
mod deciding_many;
mod documents;
mod duplicates;
mod entrance;
mod failover;
mod guarded_processor;
mod hostile;
mod http;
mod leaders;
mod lifecycle;
mod listing;
mod load;
mod metrics;
mod moved;
mod nginx;
mod openapi;
mod own_process;
mod prometheus;
mod quiet_log;
mod readme;
mod refusing;
mod releases;
mod restore;
mod rolling_restart;
mod schemathesis;
mod scrape;
mod settings;
mod settlement;
mod slips;
mod stack;
mod start_order;
mod supervision;
mod unhappy_ends;
mod unusable_nats;
mod vouching;
