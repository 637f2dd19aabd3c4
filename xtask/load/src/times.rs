//! Durations and how they are told.

use std::time::Duration;

/// Durations in order.
#[derive(Debug)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Sorts them.
    ///
    /// # Panics
    /// When there are none.
    pub fn new(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        Self(times)
    }

    /// The one that so many thousandths of all do not exceed.
    pub fn at(&self, thousandths: usize) -> Duration {
        self.0[(self.0.len() - 1) * thousandths / 1000]
    }

    /// The one in the middle.
    pub fn median(&self) -> Duration {
        self.at(500)
    }
}

/// In microseconds, or in milliseconds from ten on.
pub fn told(time: Duration) -> String {
    if time >= Duration::from_millis(10) {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    } else {
        format!("{:.1} µs", time.as_secs_f64() * 1e6)
    }
}
