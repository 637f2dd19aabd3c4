use proptest::prelude::*;
use tokio::time::advance;

use super::*;

const OVERLOADED: Ended = Ended::Overloaded {
    retry_after: None,
    earlier: None,
};

const MILLISECOND: Duration = Duration::from_millis(1);

fn board(max_in_flight: usize) -> (Arc<Board>, Rank) {
    let config = BoardConfig {
        max_latency: 1200 * MILLISECOND,
        probe_interval: 200 * MILLISECOND,
        max_in_flight,
    };
    let name = "default".parse().unwrap();
    (Board::new(config, vec![name]), Rank::new(0))
}

fn now() -> Instant {
    Instant::now()
}

fn fail(board: &Arc<Board>, rank: Rank) {
    board
        .try_start(rank, now())
        .unwrap()
        .ended(Ended::Failed { earlier: None });
}

#[tokio::test(start_paused = true)]
async fn a_failure_opens_the_breaker_and_an_answered_probe_closes_it() {
    let (board, rank) = board(4);
    fail(&board, rank);
    assert_eq!(board.condition(rank, now()), Condition::Failing);
    assert!(
        board.try_probe(rank, now(), Need::Plain).is_none(),
        "not before the interval"
    );
    advance(200 * MILLISECOND).await;
    let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
    assert!(
        board.try_probe(rank, now(), Need::Plain).is_none(),
        "one an interval"
    );
    probe.ended(Ended::Answered);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn at_most_eight_probes_are_outstanding() {
    let (board, rank) = board(100);
    fail(&board, rank);
    let mut probes = Vec::new();
    for _ in 0..200 {
        advance(200 * MILLISECOND).await;
        probes.extend(board.try_probe(rank, now(), Need::Plain));
    }
    assert_eq!(probes.len(), 8);
    probes.pop();
    assert!(board.try_probe(rank, now(), Need::Plain).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_long_delay_spreads_the_probes() {
    let (board, rank) = board(100);
    let permit = board.try_start(rank, now()).unwrap();
    advance(4000 * MILLISECOND).await;
    permit.ended(Ended::Failed { earlier: None });
    let mut probes = Vec::new();
    let mut gaps = Vec::new();
    for step in 0..40 {
        advance(100 * MILLISECOND).await;
        if let Some(probe) = board.try_probe(rank, now(), Need::Plain) {
            gaps.push(step);
            probes.push(probe);
        }
    }
    assert!(
        gaps.windows(2).all(|pair| pair[1] - pair[0] >= 5),
        "{gaps:?}"
    );
    assert!(probes.len() >= 7, "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_behind_a_long_delay_a_fresh_probe_says_how_fast_it_is() {
    let (board, rank) = board(4);
    let old = board.try_start(rank, now()).unwrap();
    let probe = board.try_start(rank, now()).unwrap();
    advance(2000 * MILLISECOND).await;
    old.ended(Ended::Failed { earlier: None });
    probe.ended(Ended::Answered);
    assert_eq!(
        board.condition(rank, now()),
        Condition::Failing,
        "it may be slow, or not"
    );
    let fresh = board.try_probe(rank, now(), Need::Plain).unwrap();
    advance(20 * MILLISECOND).await;
    fresh.ended(Ended::Answered);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn a_slow_fresh_probe_makes_the_processor_slow() {
    let (board, rank) = board(4);
    let old = board.try_start(rank, now()).unwrap();
    let probe = board.try_start(rank, now()).unwrap();
    advance(2000 * MILLISECOND).await;
    old.ended(Ended::Failed { earlier: None });
    probe.ended(Ended::Answered);
    let _fresh = board.try_probe(rank, now(), Need::Plain).unwrap();
    assert_eq!(
        board.condition(rank, now() + 1199 * MILLISECOND),
        Condition::Failing
    );
    assert_eq!(
        board.condition(rank, now() + 1200 * MILLISECOND),
        Condition::Slow
    );
}

#[tokio::test(start_paused = true)]
async fn overload_halves_the_permits_for_a_second() {
    let (board, rank) = board(4);
    let permits: Vec<Permit> = (0..4)
        .map(|_| board.try_start(rank, now()).unwrap())
        .collect();
    assert!(board.try_start(rank, now()).is_none());
    let mut permits = permits.into_iter();
    permits.next().unwrap().ended(OVERLOADED);
    assert!(
        board.try_start(rank, now()).is_none(),
        "nothing else has come back"
    );
    permits.next().unwrap().ended(Ended::Answered);
    drop(permits);
    let held: Vec<Permit> = (0..4)
        .filter_map(|_| board.try_start(rank, now()))
        .collect();
    assert_eq!(held.len(), 2);
    assert_eq!(
        board.next_chance(rank, now(), Need::Plain),
        Some(now() + 1000 * MILLISECOND)
    );
    advance(1000 * MILLISECOND).await;
    assert!(board.try_start(rank, now()).is_some());
    assert_eq!(
        board.condition(rank, now()),
        Condition::Fine,
        "429 is not failure"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_unless_an_own_answer_is_newer() {
    let (board, rank) = board(4);
    let asked = now();
    advance(MILLISECOND).await;
    board.try_start(rank, now()).unwrap().ended(Ended::Answered);
    board.report(rank, true, Duration::ZERO, asked);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    advance(MILLISECOND).await;
    board.report(rank, true, Duration::ZERO, now());
    assert_eq!(board.condition(rank, now()), Condition::Failing);
    board.report(rank, false, Duration::ZERO, now());
    assert!(
        board.try_probe(rank, now(), Need::Plain).is_some(),
        "worth a probe at once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_gets_no_probe_but_one_when_all_that_is_known_is_stale() {
    let (board, rank) = board(4);
    board.report(rank, false, 2000 * MILLISECOND, now());
    assert_eq!(board.condition(rank, now()), Condition::Slow);
    advance(14_999 * MILLISECOND).await;
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    assert_eq!(
        board.next_chance(rank, now(), Need::Plain),
        Some(now() + MILLISECOND)
    );
    advance(MILLISECOND).await;
    let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
    assert!(
        board.try_probe(rank, now(), Need::Plain).is_none(),
        "one at a time"
    );
    probe.ended(Ended::Answered);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn a_report_ends_slowness() {
    let (board, rank) = board(4);
    board.report(rank, false, 2000 * MILLISECOND, now());
    advance(5000 * MILLISECOND).await;
    board.report(rank, false, Duration::ZERO, now());
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_of_long_ago_does_not_open_the_breaker() {
    let (board, rank) = board(4);
    let hung = board.try_start(rank, now()).unwrap();
    advance(10_000 * MILLISECOND).await;
    board.try_start(rank, now()).unwrap().ended(Ended::Answered);
    hung.ended(Ended::TimedOut);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_an_earlier_attempt_does_not_open_the_breaker() {
    let (board, rank) = board(4);
    let early = board.try_start(rank, now()).unwrap();
    board.try_start(rank, now()).unwrap().ended(Ended::Answered);
    early.ended(Ended::Failed { earlier: None });
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    fail(&board, rank);
    assert_eq!(board.condition(rank, now()), Condition::Failing);
}

#[tokio::test(start_paused = true)]
async fn a_returned_permit_wakes_those_who_wait() {
    let (board, rank) = board(1);
    let permit = board.try_start(rank, now()).unwrap();
    assert!(board.try_start(rank, now()).is_none());
    let seen = board.changes().count();
    permit.ended(Ended::Answered);
    assert_ne!(board.changes().count(), seen);
    board.changes().others_than(seen).await;
    let seen = board.changes().count();
    board.try_start(rank, now()).unwrap().ended(Ended::Answered);
    assert_eq!(
        board.changes().count(),
        seen,
        "nobody waits, so nobody is woken"
    );
}

fn refuse(board: &Arc<Board>, rank: Rank, retry_after: Option<Duration>) {
    let permit = board.try_start(rank, now());
    let permit = permit.or_else(|| board.try_probe(rank, now(), Need::Plain));
    permit.expect("it may be asked").ended(Ended::Overloaded {
        retry_after,
        earlier: None,
    });
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_refuses_everything_gets_at_most_five_attempts_a_second() {
    let (board, rank) = board(100);
    let mut asked = Vec::new();
    let begin = now();
    while now() < begin + 30_000 * MILLISECOND {
        let permit = board.try_start(rank, now());
        let permit = permit.or_else(|| board.try_probe(rank, now(), Need::Plain));
        if let Some(permit) = permit {
            asked.push(now() - begin);
            permit.ended(OVERLOADED);
        }
        advance(10 * MILLISECOND).await;
    }
    let pauses: Vec<_> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| *pause >= 200 * MILLISECOND));
    assert!(asked.len() <= 12, "{asked:?}");
    assert_eq!(board.condition(rank, now()), Condition::Failing);
    advance(5_000 * MILLISECOND).await;
    let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
    probe.ended(Ended::Answered);
    assert!(board.try_start(rank, now()).is_some());
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_kept_whatever_else_comes_back() {
    let (board, rank) = board(100);
    let earlier = board.try_start(rank, now()).unwrap();
    refuse(&board, rank, Some(5_000 * MILLISECOND));
    earlier.ended(Ended::Answered);
    assert!(board.try_start(rank, now()).is_none());
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    assert_eq!(
        board.next_chance(rank, now(), Need::Plain),
        Some(now() + 1_200 * MILLISECOND),
        "then it counts as failing"
    );
    advance(1_200 * MILLISECOND).await;
    assert_eq!(board.condition(rank, now()), Condition::Failing);
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    advance(3_800 * MILLISECOND).await;
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    assert!(board.try_start(rank, now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_refused_again_while_others_are_not_says_nothing_of_the_processor() {
    let (board, rank) = board(4);
    let poison = board.try_start(rank, now()).unwrap();
    let first = poison.flight();
    poison.ended(Ended::Failed { earlier: None });
    assert_eq!(board.condition(rank, now()), Condition::Failing);
    advance(200 * MILLISECOND).await;
    let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
    probe.ended(Ended::Answered);
    let again = board.try_start(rank, now()).unwrap();
    let second = again.flight();
    again.ended(Ended::Failed {
        earlier: Some(first),
    });
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    // Nobody was answered since: now it is the processor.
    let again = board.try_start(rank, now()).unwrap();
    again.ended(Ended::Failed {
        earlier: Some(second),
    });
    assert_eq!(board.condition(rank, now()), Condition::Failing);
}

#[tokio::test(start_paused = true)]
async fn what_has_just_answered_and_fails_is_probed_at_once() {
    let (board, rank) = board(4);
    board.try_start(rank, now()).unwrap().ended(Ended::Answered);
    fail(&board, rank);
    assert!(board.try_probe(rank, now(), Need::Plain).is_some());
}

/// A processor whose attempts end without an answer.
fn break_off(board: &Arc<Board>, rank: Rank) {
    board.try_start(rank, now()).unwrap().ended(Ended::Broken);
}

#[tokio::test(start_paused = true)]
async fn while_payments_are_tied_only_they_probe_the_processor() {
    let (board, rank) = board(4);
    break_off(&board, rank);
    let tie = board.tie(rank);
    advance(60_000 * MILLISECOND).await;
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    assert!(board.try_probe(rank, now(), Need::Dire).is_none());
    assert!(board.try_probe(rank, now(), Need::Tied).is_some());
    drop(tie);
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    advance(30_000 * MILLISECOND).await;
    assert!(board.try_probe(rank, now(), Need::Plain).is_some());
}

#[tokio::test(start_paused = true)]
async fn without_tied_payments_probes_become_rarer() {
    let (board, rank) = board(100);
    break_off(&board, rank);
    let (begin, mut probed) = (now(), Vec::new());
    while now() < begin + 120_000 * MILLISECOND {
        if let Some(probe) = board.try_probe(rank, now(), Need::Plain) {
            probed.push((now() - begin).as_millis());
            probe.ended(Ended::Broken);
        }
        advance(50 * MILLISECOND).await;
    }
    let expected = [
        200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 81_200, 111_200,
    ];
    assert_eq!(probed, expected);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_is_answered_again_allows_a_probe_at_once() {
    let (board, rank) = board(4);
    board.looked_up(rank, false);
    fail(&board, rank);
    for _ in 0..8 {
        advance(60_000 * MILLISECOND).await;
        let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
        probe.ended(Ended::Failed { earlier: None });
    }
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    assert!(!board.answers_look_ups(rank));
    let seen = board.changes().count();
    board.looked_up(rank, true);
    assert_ne!(board.changes().count(), seen, "those who wait hear of it");
    assert!(board.try_probe(rank, now(), Need::Plain).is_some());
    board.looked_up(rank, true);
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
}

#[tokio::test(start_paused = true)]
async fn one_unconfirmed_answer_concerns_its_payment_and_three_the_processor() {
    let (board, rank) = board(4);
    for expected in [Condition::Fine, Condition::Fine, Condition::Failing] {
        let permit = board.try_start(rank, now()).unwrap();
        permit.ended(Ended::Unconfirmed);
        assert_eq!(board.condition(rank, now()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_a_hanging_processor_is_fast_is_worth_one_probe() {
    let (board, rank) = board(4);
    let hang = || -> Vec<_> { (0..4).map(|_| board.try_start(rank, now())).collect() };
    let merely_slow = hang();
    advance(5_000 * MILLISECOND).await;
    board.report(rank, false, Duration::ZERO, now());
    assert_eq!(board.condition(rank, now()), Condition::Fine);
    drop(merely_slow);
    let _hung = hang();
    advance(6_001 * MILLISECOND).await;
    board.report(rank, false, Duration::ZERO, now());
    assert_eq!(board.condition(rank, now()), Condition::Slow);
    let probe = board.try_probe(rank, now(), Need::Plain).unwrap();
    assert!(board.try_probe(rank, now(), Need::Plain).is_none());
    advance(20 * MILLISECOND).await;
    probe.ended(Ended::Answered);
    assert_eq!(board.condition(rank, now()), Condition::Fine);
}

proptest! {
    #[test]
    fn permits_never_exceed_the_limit_and_always_come_back(
        steps in prop::collection::vec((0..6_u8, 0..400_u64), 1..200)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (board, rank) = board(5);
            let mut held: Vec<Permit> = Vec::new();
            let probes = |held: &[Permit]| held.iter().filter(|permit| permit.is_probe()).count();
            for (step, ms) in steps {
                advance(MILLISECOND * u32::try_from(ms).unwrap()).await;
                match step {
                    0 => held.extend(board.try_start(rank, now())),
                    1 => held.extend(board.try_probe(rank, now(), Need::Plain)),
                    2 => board.report(rank, ms % 2 == 0, MILLISECOND, now()),
                    _ => {
                        if let Some(permit) = held.pop() {
                            match step {
                                3 => permit.ended(Ended::Answered),
                                4 => permit.ended(Ended::Failed { earlier: None }),
                                _ => permit.ended(OVERLOADED),
                            }
                        }
                    }
                }
                assert!(held.len() - probes(&held) <= 5 && probes(&held) <= 8);
                assert_eq!(board.in_flight(rank), held.len());
            }
            held.clear();
            // However it went, one answer makes it fine again.
            advance(20_000 * MILLISECOND).await;
            let permit = board.try_start(rank, now()).expect("all permits came back");
            permit.ended(Ended::Answered);
            assert_eq!(board.condition(rank, now()), Condition::Fine);
        });
    }
}
