//! Chooses the processor a payment goes to now, or says until when it had better wait.

use std::sync::Arc;

use feeway_health::{Board, Condition, Need, Permit, Rank};
use tokio::time::Instant;

use crate::job::RankSet;

/// What the router says.
#[derive(Debug)]
pub enum Route {
    /// Go, with this permit.
    Go(Permit),
    /// Ask again when the board changes, or at the given instant if there is one.
    Wait(Option<Instant>),
}

/// What a payment may be told.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// When it stops waiting for a failing processor.
    pub impatient_at: Instant,
    /// Processors that it does not go to now.
    pub skip: RankSet,
    /// Whether it may find out for the others if a failing processor works again.
    pub may_probe: bool,
}

/// Chooses among the processors that the payment does not skip and from which this front does not
/// stand back, cheapest first:
///
/// - one that is fine gets it, as soon as a permit is free;
/// - one that is failing or slow gets it as a probe, when one is due;
/// - a failing one is waited for while the payment is patient; a slow one is not waited for at
///   all;
/// - when none is fine, the cheapest that is merely slow gets probes as a failing one does,
///   and every payment that is not patient any longer: late is better than never.
pub fn route(board: &Arc<Board>, wish: Wish, now: Instant) -> Route {
    let Wish {
        impatient_at,
        skip,
        may_probe,
    } = wish;
    let patient = now < impatient_at;
    let mut wake: Option<Instant> = None;
    let mut slow = None;
    let is_choice = |rank: &Rank| !skip.has(*rank) && !board.stands_back(*rank);
    for rank in board.ranks().filter(is_choice) {
        let condition = board.condition(rank, now);
        let permit = match condition {
            Condition::Fine => board.try_start(rank, now),
            Condition::Slow | Condition::Failing if may_probe => {
                board.try_probe(rank, now, Need::Plain)
            }
            Condition::Slow | Condition::Failing => None,
        };
        if let Some(permit) = permit {
            return Route::Go(permit);
        }
        wake = earlier(wake, board.next_chance(rank, now, Need::Plain));
        match condition {
            // All its permits are taken, and each comes back within `max_latency`.
            Condition::Fine => return Route::Wait(wake),
            // It is waited for, whatever the dearer ones are like.
            Condition::Failing if patient => break,
            Condition::Failing => {}
            Condition::Slow => slow = slow.or(Some(rank)),
        }
    }
    if patient {
        wake = earlier(wake, Some(impatient_at));
    }
    let Some(slow) = slow else {
        return Route::Wait(wake);
    };
    let permit = if patient {
        wake = earlier(wake, board.next_chance(slow, now, Need::Dire));
        board.try_probe(slow, now, Need::Dire)
    } else {
        board.try_start(slow, now)
    };
    permit.map_or(Route::Wait(wake), Route::Go)
}

/// The earlier of two instants, if there is any.
pub fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use feeway_health::{BoardConfig, Ended};
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(60);

    struct Roads {
        board: Arc<Board>,
        accepted: Instant,
    }

    impl Roads {
        fn new(names: &[&str]) -> Self {
            let config = BoardConfig {
                max_latency: SECOND,
                probe_interval: SECOND / 5,
                max_in_flight: 2,
            };
            let names = names.iter().map(|name| name.parse().unwrap()).collect();
            Self {
                board: Board::new(config, names),
                accepted: Instant::now(),
            }
        }

        fn fail(&self, place: usize) {
            let permit = self
                .board
                .try_start(Rank::new(place), Instant::now())
                .unwrap();
            permit.ended(Ended::Failed { earlier: None });
        }

        fn report(&self, place: usize, failing: bool, latency: Duration) {
            self.board
                .report(Rank::new(place), failing, latency, Instant::now());
        }

        fn route(&self) -> Route {
            self.route_refused(RankSet::default())
        }

        fn route_refused(&self, refused: RankSet) -> Route {
            let wish = Wish {
                impatient_at: self.accepted + PATIENCE,
                skip: refused,
                may_probe: true,
            };
            route(&self.board, wish, Instant::now())
        }

        /// Uses up the probe that is due.
        fn without_probe(&self, place: usize) -> Option<Permit> {
            self.board
                .try_probe(Rank::new(place), Instant::now(), Need::Plain)
        }
    }

    fn check(route: Route, expected: Option<usize>) {
        let went = match &route {
            Route::Go(permit) => Some(permit.rank().index()),
            Route::Wait(_) => None,
        };
        assert_eq!(went, expected, "{route:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_cheapest_that_is_fine_gets_it() {
        let roads = Roads::new(&["a", "b"]);
        check(roads.route(), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_one_is_waited_for_until_patience_ends() {
        let roads = Roads::new(&["a", "b"]);
        roads.fail(0);
        check(roads.route(), None);
        advance(PATIENCE).await;
        let _probe = roads.without_probe(0);
        check(roads.route(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_one_gets_a_probe_when_one_is_due() {
        let roads = Roads::new(&["a", "b"]);
        roads.fail(0);
        advance(SECOND / 5).await;
        check(roads.route(), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_not_waited_for() {
        let roads = Roads::new(&["a", "b"]);
        roads.report(0, false, 2 * SECOND);
        let _probe = roads.without_probe(0);
        check(roads.route(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn failing_and_slow_counts_as_failing() {
        let roads = Roads::new(&["a", "b"]);
        roads.report(0, false, 2 * SECOND);
        roads.fail(0);
        check(roads.route(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_one_that_is_fine_is_waited_for_until_it_turns_out_slow() {
        let roads = Roads::new(&["a", "b"]);
        let now = Instant::now();
        let _held = [roads.route(), roads.route()];
        match roads.route() {
            Route::Wait(until) => assert_eq!(until, Some(now + SECOND)),
            Route::Go(permit) => panic!("{permit:?}"),
        }
        advance(SECOND + Duration::from_millis(1)).await;
        check(roads.route(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_is_slow_the_cheapest_gets_probes_and_after_patience_every_payment() {
        let roads = Roads::new(&["a", "b"]);
        let slow = || {
            for place in [0, 1] {
                roads.report(place, false, 2 * SECOND);
            }
        };
        slow();
        let now = Instant::now();
        let probe = roads.route();
        assert!(matches!(&probe, Route::Go(permit) if permit.rank() == Rank::new(0)));
        match roads.route() {
            Route::Wait(until) => assert_eq!(until, Some(now + 2 * SECOND / 8)),
            Route::Go(permit) => panic!("{permit:?}"),
        }
        drop(probe);
        advance(PATIENCE).await;
        slow();
        let probe = roads.route();
        check(roads.route(), Some(0));
        drop(probe);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_probed_while_the_dearer_one_fails() {
        let roads = Roads::new(&["a", "b"]);
        roads.report(0, false, 2 * SECOND);
        check(roads.route(), Some(1));
        roads.fail(1);
        check(roads.route(), Some(0));
        check(roads.route(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_from_which_the_front_stands_back_is_not_waited_for() {
        let roads = Roads::new(&["a", "b"]);
        roads.board.set_stand_backs(&[Rank::new(0)]);
        check(roads.route(), Some(1));
        roads.board.set_stand_backs(&[Rank::new(0), Rank::new(1)]);
        check(roads.route(), None);
        advance(PATIENCE).await;
        match roads.route() {
            Route::Wait(until) => assert_eq!(until, None, "until the order ends"),
            Route::Go(permit) => panic!("{permit:?}"),
        }
        roads.board.set_stand_backs(&[Rank::new(1)]);
        check(roads.route(), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refused_the_payment_is_passed_over() {
        let roads = Roads::new(&["a", "b"]);
        let mut refused = RankSet::default();
        refused.add(Rank::new(0));
        check(roads.route_refused(refused), Some(1));
    }
}
