/// What became of a submitted payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submit {
    /// It is kept, now or from an earlier time.
    Kept,
    /// It was kept at an earlier time, and every processor declined it since. This is what they
    /// answered.
    Rejected(String),
    /// The same id is known with another amount.
    AmountDiffers,
    /// It was not kept; send it again later.
    NotKept(NotKept),
    /// Nobody knows whether it was kept; send the same id again.
    Unknown,
}

/// Why a payment was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotKept {
    /// The journal is away.
    StoreAway,
    /// The front accepts nothing, for this reason.
    StandsStill(String),
    /// The journal may have forgotten payments, and waits for those who remember them.
    StoreClosed,
    /// The limit of open payments is reached.
    JournalFull,
    /// The journal's memory is full.
    MemoryFull,
    /// This front is going down.
    Busy,
}
