//! What is tried, one file for what belongs together.

pub(crate) mod again;
pub(crate) mod before;
pub(crate) mod connections;
pub(crate) mod first_payment;
pub(crate) mod found;
pub(crate) mod health;
pub(crate) mod malformed;
