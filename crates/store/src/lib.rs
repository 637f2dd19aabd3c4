//! The journal of open payments, the ledger of settled ones, and the leader's lease, in Redis.
