//! A faithful stand-in for a payment processor, with delay, failure and chaos switches.
