//! Connections that carry more than one request, with the product's own client.

use std::time::Duration;

use bytes::Bytes;
use feeway_attempt::attempt;
use feeway_domain::{Doubt, Money, No, Outcome, ProcessorClient};
use feeway_processor::HttpProcessor;
use hyper::Method;
use tokio::time::{sleep, timeout};

use crate::attempted::{new_id, new_payment, now};
use crate::check::{Check, Finding};
use crate::wire::{Fault, Line, Wire};
use crate::words;

/// How many payments are posted one after the other.
pub(crate) const PAYMENTS: u32 = 5;

/// Between two requests, so that an answer that comes twice is seen.
const PAUSE: Duration = Duration::from_millis(60);

/// How long the answer to a look-up is waited for.
const LOOK_UP_MAX: Duration = Duration::from_secs(1);

/// How long the connection is watched after the last one.
const REST: Duration = Duration::from_secs(1);

pub(crate) async fn connections(wire: &Wire, amount: Money) -> Finding {
    let check = Check::Connections;
    let client = wire.processor();
    let outcomes = post_all(client, amount).await;
    if client.has_misdelivered() {
        let seen = "an unrequested answer, or another payment's";
        let feeway = "uses a connection of its own for each request from then on, and looks up what was answered on this one";
        return check.differs(seen, feeway);
    }
    let lost: Vec<_> = outcomes.iter().filter(|outcome| is_lost(outcome)).collect();
    if let Some(first) = lost.first() {
        let lost = lost.len();
        let seen = format!("{lost} of {PAYMENTS} payments, one after the other, had no answer");
        return check.differs(seen, words::concluded(first));
    }
    match second_request(client).await {
        Ok(()) => check.fits(
            format!("{PAYMENTS} payments and their look-ups, each with its own answer"),
            "keeps connections",
        ),
        Err(fault @ (Fault::Reset | Fault::Garbled)) => {
            let seen = format!("the second request on one: {}", words::answer(&Err(fault)));
            check.tolerated(
                seen,
                "opens a connection for each request, which takes longer",
            )
        }
        Err(fault @ (Fault::Unreachable | Fault::TimedOut)) => {
            check.cannot_tell(words::answer(&Err(fault)))
        }
    }
}

/// Whether an attempt had no answer. What the others were answered is for another check.
fn is_lost(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Unknown(Doubt::TimedOut | Doubt::Reset | Doubt::Unclear)
            | Outcome::NotHeld(No::Unreachable)
    )
}

async fn post_all(client: &HttpProcessor, amount: Money) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for _ in 0..PAYMENTS {
        let payment = new_payment(amount);
        outcomes.push(attempt(client, &payment, now(), true, false).await);
        sleep(PAUSE).await;
        // Its answer is for another check; here it only takes its turn on the connection.
        if timeout(LOOK_UP_MAX, client.get(payment.id)).await.is_err() {
            continue;
        }
    }
    sleep(REST).await;
    outcomes
}

/// Whether a connection takes a second request.
async fn second_request(client: &HttpProcessor) -> Result<(), Fault> {
    let mut line = Line::open(client).await?;
    for _ in 0..2 {
        let below = format!("/{}", new_id());
        line.ask(Method::GET, &below, Bytes::new()).await?;
    }
    Ok(())
}
