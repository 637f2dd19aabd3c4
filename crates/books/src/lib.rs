//! The rules that every store keeps.
//!
//! Does: say into which sums a settled payment goes, which windows can be answered from them, how
//! far back the books are exact, what a page of a listing holds, and which acknowledged writes a
//! store may have forgotten.
//!
//! Does not: keep anything, or talk to anybody.

pub mod horizon;
pub mod listing;
pub mod recent;
pub mod roll_up;
pub mod window_plan;
