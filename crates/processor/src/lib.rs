//! Speaks a payment processor's HTTP API and turns every answer or fault into an outcome.
