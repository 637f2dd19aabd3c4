//! When each request of a steady load is due.

use std::time::Duration;

/// How requests are spread over a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrivals {
    /// A second; of a ramp, at its end.
    pub rate: f64,
    /// How long.
    pub length: Duration,
    /// Begins at nothing and becomes evenly more.
    pub ramp: bool,
}

impl Arrivals {
    /// How many there are.
    pub fn count(&self) -> u64 {
        let even = self.rate * self.length.as_secs_f64();
        let all = if self.ramp { even / 2.0 } else { even };
        all.round() as u64
    }

    /// When this one is due, after the begin. It depends on no other one: a late request
    /// delays none after it.
    pub fn due(&self, number: u64) -> Duration {
        let number = number as f64;
        let seconds = if self.ramp {
            // The area under the ramp until then is the number.
            (2.0 * number * self.length.as_secs_f64() / self.rate).sqrt()
        } else {
            number / self.rate
        };
        Duration::from_secs_f64(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ramp: bool, number: u64, expected_ms: u128) {
        let arrivals = Arrivals {
            rate: 300.0,
            length: Duration::from_secs(20),
            ramp,
        };
        assert_eq!(arrivals.due(number).as_millis(), expected_ms, "{number}");
    }

    #[test]
    fn even_arrivals_keep_their_distance() {
        check(false, 0, 0);
        check(false, 3, 10);
        check(false, 6000, 20_000);
    }

    #[test]
    fn a_ramp_ends_with_the_time_and_sends_half_as_many() {
        check(true, 0, 0);
        check(true, 3000, 20_000);
        check(true, 750, 10_000);
        let arrivals = Arrivals {
            rate: 300.0,
            length: Duration::from_secs(20),
            ramp: true,
        };
        assert_eq!(arrivals.count(), 3000);
    }
}
