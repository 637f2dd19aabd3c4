use std::sync::Arc;

use bytes::Bytes;
use feeway_domain::CorrelationId;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, error};

use crate::admin;
use crate::answer::{self, Answer, Cut};
use crate::books::Held;
use crate::chaos::Mishap;
use crate::payment_request::PaymentRequest;
use crate::state::{State, unix_micros, unix_second};

/// The most bytes of a body.
const BODY_LIMIT: usize = 16 * 1024;

/// Answers one request of the processor's API or of its administration.
pub(crate) async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, Cut> {
    if admin::is_admin(&request) {
        return admin::answer(state, request).await;
    }
    match request.uri().path() {
        "/payments" if request.method() == Method::POST => {
            state.stats().arrive(unix_second());
            match read_body(request.into_body()).await? {
                // What was posted is carried through, whether or not the client waits.
                Ok(body) => finish(tokio::spawn(pay(state, body))).await,
                Err(refusal) => Ok(refusal),
            }
        }
        "/payments" => Ok(answer::wrong_method("POST")),
        // No processor has this: it is for the health check of our container.
        "/readyz" if request.method() == Method::GET => Ok(answer::empty(StatusCode::OK)),
        path => match path.strip_prefix("/payments/") {
            None => Ok(answer::empty(StatusCode::NOT_FOUND)),
            Some(_) if request.method() != Method::GET => Ok(answer::wrong_method("GET")),
            Some("service-health") => Ok(health(&state).await),
            Some(id) => match id.parse() {
                Ok(id) => finish(tokio::spawn(find(state, id))).await,
                Err(error) => Ok(malformed(&error)),
            },
        },
    }
}

/// Reads a body; the inner error is the answer to one that is too long.
pub(crate) async fn read_body(body: Incoming) -> Result<Result<Bytes, Answer>, Cut> {
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Ok(Ok(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Ok(Err(answer::empty(StatusCode::PAYLOAD_TOO_LARGE)))
        }
        Err(error) => {
            debug!(%error, "the client went while it sent a body");
            Err(Cut::CLOSE)
        }
    }
}

pub(crate) fn malformed(why: &impl ToString) -> Answer {
    answer::message(StatusCode::BAD_REQUEST, &why.to_string())
}

/// The end of work that ran in a task of its own. A hang is waited for here, where it ends
/// with the connection: no more hang than there are connections.
async fn finish(work: JoinHandle<Result<Answer, Cut>>) -> Result<Answer, Cut> {
    let end = work.await.unwrap_or_else(|error| {
        error!(%error, "a request broke down");
        Err(Cut::CLOSE)
    });
    if let Err(Cut::Close { after }) = end {
        sleep(after).await;
    }
    end
}

/// Takes one payment, in the processor's own order: permit, delay, failure switch, insert.
/// Nothing in it watches for a client that has gone.
async fn pay(state: Arc<State>, body: Bytes) -> Result<Answer, Cut> {
    let Some(permit) = state.permits.enter().await else {
        state.stats().counts.busy += 1;
        return Ok(answer::too_many());
    };
    let Some(payment) = PaymentRequest::read(&body) else {
        state.stats().counts.malformed += 1;
        return Ok(malformed(&"not a payment"));
    };
    let delay = state.switches.delay();
    if !delay.is_zero() {
        sleep(delay).await;
    }
    if state.switches.failing() {
        state.stats().counts.failed += 1;
        return Ok(answer::empty(StatusCode::INTERNAL_SERVER_ERROR));
    }
    let mishap = state.fortune().mishap();
    debug!(id = %payment.id, ?mishap, "payment");
    match mishap {
        Some(Mishap::ResetBefore) => return Err(Cut::Reset),
        Some(Mishap::StoreLate(late)) => sleep(late).await,
        Some(Mishap::ResetAfter | Mishap::HangAfter(_) | Mishap::ErrorAfter) | None => {}
    }
    let held = Held {
        amount: payment.amount,
        requested_at: payment.requested_at,
    };
    if !state.books().insert(payment.id, held) {
        state.stats().counts.duplicates += 1;
        return Ok(answer::message(
            StatusCode::UNPROCESSABLE_ENTITY,
            "the correlationId already exists",
        ));
    }
    drop(permit);
    after_insert(mishap)
}

fn after_insert(mishap: Option<Mishap>) -> Result<Answer, Cut> {
    const DONE: &[u8] = br#"{"message":"payment processed successfully"}"#;
    match mishap {
        Some(Mishap::ResetAfter) => Err(Cut::Reset),
        Some(Mishap::HangAfter(after)) => Err(Cut::Close { after }),
        Some(Mishap::ErrorAfter) => Ok(answer::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the connection to the database broke",
        )),
        Some(Mishap::ResetBefore | Mishap::StoreLate(_)) | None => {
            Ok(answer::json(StatusCode::OK, DONE))
        }
    }
}

/// Looks a payment up: no delay and no failure switch, but it needs a permit.
async fn find(state: Arc<State>, id: CorrelationId) -> Result<Answer, Cut> {
    let Some(_permit) = state.permits.enter().await else {
        return Ok(answer::too_many());
    };
    let held = state.books().find(id);
    Ok(held.map_or_else(
        || answer::empty(StatusCode::NOT_FOUND),
        |held| {
            let (amount, requested_at) = (held.amount, without_zone(&held));
            answer::json(
                StatusCode::OK,
                format!(
                    r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{requested_at}"}}"#
                ),
            )
        },
    ))
}

/// The instant as the processor prints it: no `Z`, no zeros at the end of the decimals.
fn without_zone(held: &Held) -> String {
    let text = held.requested_at.to_string();
    text.trim_end_matches('Z')
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

async fn health(state: &State) -> Answer {
    state.asks().arrive(unix_micros());
    if !state.health_window.enter().await {
        return answer::too_many();
    }
    let (failing, delay_ms) = (state.switches.failing(), state.switches.delay_ms());
    answer::json(
        StatusCode::OK,
        format!(r#"{{"failing":{failing},"minResponseTime":{delay_ms}}}"#),
    )
}

#[cfg(test)]
mod tests {
    use feeway_domain::{Money, RequestedAt};

    use super::*;

    #[test]
    fn the_processor_prints_instants_without_zone_and_final_zeros() {
        for (instant, expected) in [
            ("2025-07-15T12:34:56Z", "2025-07-15T12:34:56"),
            ("2025-07-15T12:34:50Z", "2025-07-15T12:34:50"),
            ("2025-07-15T12:34:56.5Z", "2025-07-15T12:34:56.5"),
            ("2025-07-15T12:34:56.000100Z", "2025-07-15T12:34:56.0001"),
            ("2025-07-15T12:34:56.123456Z", "2025-07-15T12:34:56.123456"),
        ] {
            let requested_at: RequestedAt = instant.parse().unwrap();
            let printed = without_zone(&Held {
                amount: Money::MAX,
                requested_at,
            });
            assert_eq!(printed, expected);
            assert_eq!(RequestedAt::from_processor(&printed), Ok(requested_at));
        }
    }
}
