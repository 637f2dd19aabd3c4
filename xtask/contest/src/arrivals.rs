//! When payments arrive, as far as a scenario's users tell.

use super::scenario::{Load, Scenario};

/// How finely time is cut.
pub(super) const TICK_MS: u64 = 10;

/// How many of `count` payments arrive in each tick of the run.
///
/// Users come evenly, so of a ramp from one user to `u` in `T` the share that arrived by `t` is
/// `(t + (u - 1) t² / 2T) / (T + (u - 1) T / 2)`: each pays once a second.
pub(super) fn arrivals(scenario: &Scenario, count: u64) -> Vec<u64> {
    let length_ms = u64::from(scenario.seconds) * 1000;
    let by = |at_ms: u64| -> u64 {
        let (at, length) = (u128::from(at_ms), u128::from(length_ms));
        let (part, whole) = match scenario.load {
            Load::PerSecond(_) => (at, length),
            Load::Users(users) => {
                let more = u128::from(users.saturating_sub(1));
                (
                    2 * at * length + more * at * at,
                    2 * length * length + more * length * length,
                )
            }
        };
        u64::try_from(u128::from(count) * part / whole).unwrap_or(count)
    };
    (0..length_ms / TICK_MS)
        .map(|tick| by((tick + 1) * TICK_MS) - by(tick * TICK_MS))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arrive_and_more_do_as_users_come() {
        let arrivals = arrivals(&Scenario::finals(), 90_600);
        assert_eq!(arrivals.len(), 30_000);
        assert_eq!(arrivals.iter().sum::<u64>(), 90_600);
        let last_tenth: u64 = arrivals[27_000..].iter().sum();
        assert!((17_000..17_400).contains(&last_tenth), "{last_tenth}");
    }
}
