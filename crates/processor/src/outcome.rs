use std::time::Duration;

use feeway_domain::{
    Doubt, GetAnswer, No, Outcome, Payment, PostAnswer, ProcessorClient, RequestedAt,
};
use tokio::time::sleep;

/// The pauses before an unclear look-up is repeated: three look-ups at most.
const LOOK_UP_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

/// Posts a payment once, looks it up where the answer asks for that, and says what became
/// of the attempt.
///
/// Dropping the future leaves the outcome unknown.
pub async fn attempt<C: ProcessorClient>(
    client: &C,
    payment: &Payment,
    requested_at: RequestedAt,
) -> Outcome {
    match client.post(payment, requested_at).await {
        PostAnswer::Stored => Outcome::Held(requested_at),
        PostAnswer::Duplicate => match look_up(client, payment).await {
            Found::Payment(theirs) => Outcome::Held(theirs),
            // A duplicate that is not there, or is another payment, confirms nothing.
            Found::Nothing | Found::Unclear => Outcome::Unknown(Doubt::Unconfirmed),
        },
        PostAnswer::Failing => match look_up(client, payment).await {
            Found::Nothing => Outcome::NotHeld(No::Failing),
            // An earlier attempt, or this one before it failed, was stored after all.
            Found::Payment(theirs) => Outcome::Held(theirs),
            Found::Unclear => Outcome::Unknown(Doubt::Unconfirmed),
        },
        PostAnswer::Overloaded => Outcome::NotHeld(No::Overloaded),
        PostAnswer::Malformed => Outcome::NotHeld(No::Malformed),
        PostAnswer::Unreachable => Outcome::NotHeld(No::Unreachable),
        PostAnswer::Misconfigured { status } => Outcome::Misconfigured { status },
        PostAnswer::Lost(doubt) => Outcome::Unknown(doubt),
    }
}

enum Found {
    /// This payment, with this amount, at this instant of their books.
    Payment(RequestedAt),
    Nothing,
    /// No usable answer, or the same id with another amount.
    Unclear,
}

async fn look_up<C: ProcessorClient>(client: &C, payment: &Payment) -> Found {
    let mut pauses = LOOK_UP_PAUSES.into_iter();
    loop {
        match client.get(payment.id).await {
            GetAnswer::Held {
                amount,
                requested_at,
            } if amount == payment.amount => return Found::Payment(requested_at),
            GetAnswer::Held { .. } => return Found::Unclear,
            GetAnswer::Absent => return Found::Nothing,
            GetAnswer::Unclear => match pauses.next() {
                Some(pause) => sleep(pause).await,
                None => return Found::Unclear,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};

    use feeway_domain::{CorrelationId, Money};
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

    const fn held(cents: i64) -> GetAnswer {
        GetAnswer::Held {
            amount: Money::from_cents(cents).expect("a small amount"),
            requested_at: THEIRS,
        }
    }

    /// Every scripted look-up must be used, and no other.
    async fn check(post: PostAnswer, gets: &[GetAnswer], expected: Outcome) {
        let client = Scripted {
            post,
            gets: Mutex::new(gets.iter().copied().collect()),
        };
        let payment = Payment {
            id: CorrelationId::from_bytes([7; 16]),
            amount: Money::from_cents(1990).unwrap(),
        };
        let outcome = attempt(&client, &payment, OURS).await;
        assert_eq!(outcome, expected, "{post:?} {gets:?}");
        let left = client.gets.into_inner().unwrap();
        assert!(left.is_empty(), "{post:?} {gets:?}: left {left:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn every_answer_has_its_outcome() {
        use GetAnswer::{Absent, Unclear};
        use Outcome::{Held, NotHeld, Unknown};
        let unconfirmed = Unknown(Doubt::Unconfirmed);
        for (post, gets, expected) in [
            (PostAnswer::Stored, &[][..], Held(OURS)),
            (PostAnswer::Overloaded, &[], NotHeld(No::Overloaded)),
            (PostAnswer::Malformed, &[], NotHeld(No::Malformed)),
            (PostAnswer::Unreachable, &[], NotHeld(No::Unreachable)),
            (
                PostAnswer::Misconfigured { status: 404 },
                &[],
                Outcome::Misconfigured { status: 404 },
            ),
            (
                PostAnswer::Lost(Doubt::TimedOut),
                &[],
                Unknown(Doubt::TimedOut),
            ),
            (PostAnswer::Lost(Doubt::Reset), &[], Unknown(Doubt::Reset)),
            (
                PostAnswer::Lost(Doubt::Unclear),
                &[],
                Unknown(Doubt::Unclear),
            ),
            (PostAnswer::Duplicate, &[held(1990)], Held(THEIRS)),
            (PostAnswer::Duplicate, &[held(1991)], unconfirmed),
            (PostAnswer::Duplicate, &[Absent], unconfirmed),
            (PostAnswer::Duplicate, &[Unclear; 3], unconfirmed),
            (PostAnswer::Duplicate, &[Unclear, held(1990)], Held(THEIRS)),
            (PostAnswer::Failing, &[Absent], NotHeld(No::Failing)),
            (PostAnswer::Failing, &[held(1990)], Held(THEIRS)),
            (PostAnswer::Failing, &[held(1989)], unconfirmed),
            (PostAnswer::Failing, &[Unclear; 3], unconfirmed),
            (
                PostAnswer::Failing,
                &[Unclear, Unclear, Absent],
                NotHeld(No::Failing),
            ),
        ] {
            check(post, gets, expected).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unclear_look_up_is_repeated_after_a_growing_pause() {
        let start = Instant::now();
        check(
            PostAnswer::Failing,
            &[GetAnswer::Unclear; 3],
            Outcome::Unknown(Doubt::Unconfirmed),
        )
        .await;
        assert_eq!(start.elapsed(), Duration::from_millis(250));
    }
}
