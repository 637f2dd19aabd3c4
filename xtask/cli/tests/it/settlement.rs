use std::thread;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::stack::{Stack, eventually};

const PAYMENTS: u32 = 2000;
const LANES: u32 = 4;
/// 500 a second over all lanes.
const PACE: Duration = Duration::from_millis(8);

#[test]
fn two_thousand_payments_settle_on_default_and_every_window_agrees_with_the_books() {
    let stack = Stack::up(&[]);
    let begin = SystemTime::now();
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let mut connection = stack.connect();
                for number in 0..PAYMENTS / LANES {
                    let due = PACE * number;
                    let early = due.saturating_sub(begin.elapsed().unwrap_or_default());
                    thread::sleep(early);
                    stack.pay(&mut connection);
                }
            });
        }
    });
    let all = (i64::from(PAYMENTS), i64::from(PAYMENTS) * 1990);
    eventually(Duration::from_secs(2), "everything is settled", || {
        stack.summary("").0.0 == all.0
    });
    assert_eq!(stack.summary(""), (all, (0, 0)));

    let first = Timestamp::try_from(begin).expect("now").as_microsecond();
    let span = Timestamp::now().as_microsecond() - first;
    let mut random = Random(0x5DEE_CE66);
    for _ in 0..100 {
        let (a, b) = (random.below(span), random.below(span));
        let instant = |micros: i64| Timestamp::from_microsecond(first + micros).expect("near now");
        let window = format!("?from={:.6}&to={:.6}", instant(a.min(b)), instant(a.max(b)));
        let (default, fallback) = stack.summary(&window);
        assert_eq!(default, stack.books(0, &window), "{window}");
        assert_eq!(fallback, stack.books(1, &window), "{window}");
    }
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        i64::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}
