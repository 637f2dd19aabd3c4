//! How much of everything there may be.

/// Lanes of a worker. More would gain nothing on one thread: a lane never blocks.
pub(crate) const LANES: usize = 4;

/// Payments a lane has in hand, waiting or in flight, before its channel backs up.
pub const LANE_IN_HAND: usize = 512;

/// Payments a lane has in hand that are tied to a processor and rest. One in ten that are
/// declined at 5 000 a second are 3 750 on each of two fronts, in the 15 s until their absence
/// counts.
pub const LANE_TIED: usize = 2_048;

/// Payments in a lane's channel.
pub(crate) const LANE_CHANNEL: usize = 64;

/// Payments a front has in hand: 4 lanes × (512 + 64 + 2 048) = 10 496, and 2 304 whose
/// `accept` or settle is under way; at about 500 bytes each 6 MB. The rest waits in the journal.
pub const IN_HAND: usize = 12_800;

/// Look-ups of pinned payments that one lane has under way: 4 × 4 of the 800 permits
/// that a processor has.
pub const LANE_LOOKUPS: usize = 4;

/// Entries read from the journal at once.
pub const PAGE: usize = 256;
