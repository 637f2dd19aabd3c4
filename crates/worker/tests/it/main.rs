//! Tests of the whole worker against an in-memory store and scripted processors.

#![expect(
    clippy::unwrap_used,
    reason = "a poisoned lock means that the test has failed"
)]

mod answers;
mod audit;
mod catch_up;
mod clock_off;
mod first_hold;
mod front;
mod gate;
mod impossible_times;
mod line;
mod linger;
mod memory_intake;
mod moved;
mod moving;
mod operator;
mod rejection;
mod resolution;
mod schedule;
mod scripted_processor;
mod shop;
mod simulation;
mod stale_page;
mod stand_back;
mod standstill;
mod unreliable_store;
mod weather;
mod world;
