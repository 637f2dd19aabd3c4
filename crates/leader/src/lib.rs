//! The health daemon: of several, the one that holds the lease asks the processors for their health.
