//! Criterion benches of the pieces that decide how fast Feeway is.
