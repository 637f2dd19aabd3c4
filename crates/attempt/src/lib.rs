//! One attempt at a processor, and what became of it.
//!
//! Does: post a payment, look it up where the answer asks for that, and turn both answers into an
//! [`Outcome`].
//!
//! Does not: speak HTTP, choose a processor, or try again.
//!
//! ```text
//! attempt ──► ProcessorClient::post ──► look-up, if the answer is no clear yes or no ──► Outcome
//! ```

use std::time::Duration;

use feeway_domain::{
    Doubt, GetAnswer, No, Outcome, Payment, PostAnswer, ProcessorClient, Refusal, RequestedAt,
};
use tokio::time::sleep;

/// The pauses before an unclear look-up of a duplicate is repeated: three look-ups at most.
const LOOK_UP_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// Posts a payment once, looks it up where the answer asks for that, and says what became
/// of the attempt. `is_first` says that it is the only attempt that was ever made there, and
/// `declines_are_final` that the processor's operator vouches for nothing being stored when
/// such an attempt is answered with 400, 402 or 410.
///
/// Dropping the future leaves the outcome unknown.
pub async fn attempt<C: ProcessorClient>(
    client: &C,
    payment: &Payment,
    requested_at: RequestedAt,
    is_first: bool,
    declines_are_final: bool,
) -> Outcome {
    let unconfirmed = Outcome::Unknown(Doubt::Unconfirmed);
    match client.post(payment, requested_at).await {
        PostAnswer::Stored => Outcome::Held(requested_at),
        PostAnswer::Inconclusive => look_up(client, payment, &[]).await.or(unconfirmed),
        PostAnswer::Declined { status } if is_first && declines_are_final => {
            Outcome::NotHeld(No::Declined { status })
        }
        PostAnswer::Declined { status } => {
            let declined = Outcome::Refused(Refusal::Declined { status });
            look_up(client, payment, &[]).await.or(declined)
        }
        PostAnswer::Duplicate { status } => {
            // If it is the first there is nothing that it could be the duplicate of.
            let not_found = if is_first {
                Outcome::Refused(Refusal::Declined { status })
            } else {
                unconfirmed
            };
            let found = look_up(client, payment, &LOOK_UP_PAUSES).await;
            found.or(not_found)
        }
        PostAnswer::Failing { status } => {
            // An earlier attempt, or this one before it failed, may have been stored after all.
            let failing = Outcome::Refused(Refusal::Failing { status });
            look_up(client, payment, &[]).await.or(failing)
        }
        PostAnswer::Overloaded { retry_after } => Outcome::NotHeld(No::Overloaded { retry_after }),
        PostAnswer::Misconfigured { status } => Outcome::NotHeld(No::Misconfigured { status }),
        PostAnswer::Unreachable => Outcome::NotHeld(No::Unreachable),
        PostAnswer::Lost(doubt) => Outcome::Unknown(doubt),
    }
}

enum Found {
    /// This payment, with this amount, at this instant of their books.
    Payment(RequestedAt),
    /// The same id with another amount: something is held there.
    AnotherAmount,
    /// Nothing, or no usable answer.
    Nothing,
}

impl Found {
    /// What became of the attempt, which is this when nothing was found.
    fn or(self, not_found: Outcome) -> Outcome {
        match self {
            Self::Payment(theirs) => Outcome::Held(theirs),
            Self::AnotherAmount => Outcome::Unknown(Doubt::Unconfirmed),
            Self::Nothing => not_found,
        }
    }
}

/// Looks a payment up, and after each of the pauses again while there is no usable answer.
async fn look_up<C: ProcessorClient>(client: &C, payment: &Payment, pauses: &[Duration]) -> Found {
    let mut pauses = pauses.iter();
    loop {
        match client.get(payment.id).await {
            GetAnswer::Held {
                amount,
                requested_at,
            } if amount == payment.amount => return Found::Payment(requested_at),
            GetAnswer::Held { .. } => return Found::AnotherAmount,
            GetAnswer::Absent | GetAnswer::Pending | GetAnswer::Unreadable(_) => {
                return Found::Nothing;
            }
            GetAnswer::Unclear | GetAnswer::Unreachable => match pauses.next() {
                Some(pause) => sleep(*pause).await,
                None => return Found::Nothing,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use feeway_domain::{CorrelationId, Money, Unreadable};
    use tokio::time::Instant;

    use super::*;

    struct Scripted {
        post: PostAnswer,
        gets: Mutex<VecDeque<GetAnswer>>,
    }

    impl ProcessorClient for Scripted {
        async fn post(&self, _: &Payment, _: RequestedAt) -> PostAnswer {
            self.post
        }

        async fn get(&self, _: CorrelationId) -> GetAnswer {
            let mut gets = self.gets.lock().unwrap_or_else(PoisonError::into_inner);
            gets.pop_front().expect("a look-up that the script allows")
        }
    }

    const OURS: RequestedAt = RequestedAt::MIN;
    const THEIRS: RequestedAt = RequestedAt::MAX;
    const UNCONFIRMED: Outcome = Outcome::Unknown(Doubt::Unconfirmed);
    const UNREADABLE: GetAnswer = GetAnswer::Unreadable(Unreadable {
        field: "amount",
        reason: "is missing",
    });

    const fn held(cents: i64) -> GetAnswer {
        GetAnswer::Held {
            amount: Money::from_cents(cents).expect("a small amount"),
            requested_at: THEIRS,
        }
    }

    /// Every scripted look-up must be used, and no other.
    async fn check(
        post: PostAnswer,
        is_first: bool,
        declines_are_final: bool,
        gets: &[GetAnswer],
        expected: Outcome,
    ) {
        let client = Scripted {
            post,
            gets: Mutex::new(gets.iter().copied().collect()),
        };
        let payment = Payment {
            id: CorrelationId::from_bytes([7; 16]),
            amount: Money::from_cents(1990).unwrap(),
        };
        let outcome = attempt(&client, &payment, OURS, is_first, declines_are_final).await;
        let case = format!("{post:?} {is_first} {declines_are_final} {gets:?}");
        assert_eq!(outcome, expected, "{case}");
        let left = client.gets.into_inner().unwrap();
        assert!(left.is_empty(), "{case}: left {left:?}");
    }

    /// Whatever was before, and whatever the operator vouches for.
    async fn check_always(post: PostAnswer, gets: &[GetAnswer], expected: Outcome) {
        for is_first in [true, false] {
            for declines_are_final in [false, true] {
                check(post, is_first, declines_are_final, gets, expected).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn most_answers_need_no_look_up() {
        use Outcome::{Held, NotHeld, Unknown};
        let retry_after = Some(Duration::from_secs(7));
        for (post, expected) in [
            (PostAnswer::Stored, Held(OURS)),
            (
                PostAnswer::Overloaded { retry_after },
                NotHeld(No::Overloaded { retry_after }),
            ),
            (
                PostAnswer::Misconfigured { status: 501 },
                NotHeld(No::Misconfigured { status: 501 }),
            ),
            (PostAnswer::Unreachable, NotHeld(No::Unreachable)),
            (PostAnswer::Lost(Doubt::TimedOut), Unknown(Doubt::TimedOut)),
            (PostAnswer::Lost(Doubt::Reset), Unknown(Doubt::Reset)),
            (PostAnswer::Lost(Doubt::Unclear), Unknown(Doubt::Unclear)),
            (
                PostAnswer::Lost(Doubt::Redirected { status: 307 }),
                Unknown(Doubt::Redirected { status: 307 }),
            ),
        ] {
            check_always(post, &[], expected).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_up_decides_what_is_not_clear() {
        use GetAnswer::{Absent, Pending, Unclear, Unreachable};
        for get in [Absent, Pending, Unclear, Unreachable, UNREADABLE] {
            check_always(PostAnswer::Inconclusive, &[get], UNCONFIRMED).await;
            let status = 503;
            let failing = Outcome::Refused(Refusal::Failing { status });
            check_always(PostAnswer::Failing { status }, &[get], failing).await;
        }
        for post in [
            PostAnswer::Inconclusive,
            PostAnswer::Failing { status: 500 },
        ] {
            check_always(post, &[held(1990)], Outcome::Held(THEIRS)).await;
            check_always(post, &[held(1991)], UNCONFIRMED).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_decline_is_looked_up_unless_it_is_vouched_for() {
        use GetAnswer::{Absent, Pending, Unclear, Unreachable};
        for status in [400, 402, 410] {
            let post = PostAnswer::Declined { status };
            let final_no = Outcome::NotHeld(No::Declined { status });
            check(post, true, true, &[], final_no).await;
            let refused = Outcome::Refused(Refusal::Declined { status });
            for (is_first, declines_are_final) in [(true, false), (false, false), (false, true)] {
                for (get, expected) in [
                    (Absent, refused),
                    (Pending, refused),
                    (Unclear, refused),
                    (Unreachable, refused),
                    (UNREADABLE, refused),
                    (held(1990), Outcome::Held(THEIRS)),
                    (held(1989), UNCONFIRMED),
                ] {
                    check(post, is_first, declines_are_final, &[get], expected).await;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_duplicate_is_looked_up_until_there_is_an_answer() {
        use GetAnswer::{Absent, Pending, Unclear, Unreachable};
        for status in [409, 422] {
            let post = PostAnswer::Duplicate { status };
            check_always(post, &[held(1990)], Outcome::Held(THEIRS)).await;
            check_always(post, &[held(1991)], UNCONFIRMED).await;
            let late = [Unclear, Unreachable, held(1990)];
            check_always(post, &late, Outcome::Held(THEIRS)).await;
            let refused = Outcome::Refused(Refusal::Declined { status });
            for (is_first, not_found) in [(true, refused), (false, UNCONFIRMED)] {
                for gets in [
                    &[Absent][..],
                    &[Pending],
                    &[UNREADABLE],
                    &[Unclear; 3],
                    &[Unreachable; 3],
                    &[Unclear, Unclear, Absent],
                ] {
                    check(post, is_first, true, gets, not_found).await;
                    check(post, is_first, false, gets, not_found).await;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unclear_look_up_is_repeated_after_a_growing_pause() {
        let start = Instant::now();
        let post = PostAnswer::Duplicate { status: 422 };
        let gets = [GetAnswer::Unclear; 3];
        check(post, false, false, &gets, UNCONFIRMED).await;
        assert_eq!(start.elapsed(), Duration::from_millis(250));
    }
}
