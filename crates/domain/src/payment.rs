use crate::{CorrelationId, Money};

/// What a shop asks us to charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The shop's identity for it; asking twice with the same id charges once.
    pub id: CorrelationId,
    /// How much; greater than zero.
    pub amount: Money,
}
