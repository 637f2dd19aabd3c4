use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::time::sleep;
use tracing::debug;

use crate::answer::{self, Said};
use crate::api::malformed;
use crate::books::Held;
use crate::payment_request::PaymentRequest;
use crate::permits::Permit;
use crate::rules::{IfHeld, PostRule};
use crate::seen::{Method, SeenRequest};
use crate::state::{State, unix_micros};

const DONE: &[u8] = br#"{"message":"payment processed successfully"}"#;

/// Takes one payment. Nothing in it watches for a client that has gone.
pub(crate) async fn pay(state: Arc<State>, body: Bytes) -> Said {
    let at_us = unix_micros();
    let Some(payment) = PaymentRequest::read(&body) else {
        return refuse(&state).await;
    };
    let nth = state.seen().count(payment.id, Method::Post);
    let said = decide(&state, payment, nth).await;
    let request = SeenRequest {
        at_us,
        method: Method::Post,
        status: said.status().map(|status| status.as_u16()),
    };
    state.seen().keep(payment.id, request);
    said
}

/// Refuses a malformed payment, which needs a permit nevertheless.
async fn refuse(state: &State) -> Said {
    let Some(_permit) = state.permits.enter().await else {
        return busy(state);
    };
    state.stats().counts.malformed += 1;
    malformed(state, &"not a payment")
}

fn busy(state: &State) -> Said {
    state.stats().counts.busy += 1;
    answer::too_many().into()
}

/// By a rule, or else in the processor's own order: permit, delay, failure switch, insert.
async fn decide(state: &Arc<State>, payment: PaymentRequest, nth: u32) -> Said {
    let Some(permit) = state.permits.enter().await else {
        return busy(state);
    };
    let switched = state.switches.delay();
    let (rule, delay) = match state.rules().post(payment.id, nth) {
        Some(rule) => {
            state.stats().counts.ruled += 1;
            let delay = rule.delay.unwrap_or(switched);
            (rule, delay)
        }
        None => {
            pause(switched).await;
            if state.switches.failing() {
                state.stats().counts.failed += 1;
                return answer::empty(StatusCode::INTERNAL_SERVER_ERROR).into();
            }
            let mishap = Arc::new(state.fortune().mishap());
            let delay = mishap.delay.unwrap_or_default();
            (mishap, delay)
        }
    };
    debug!(id = %payment.id, ?rule, "payment");
    carry_out(state, permit, payment, &rule, delay).await
}

/// Stores and answers a payment as a rule says, `delay` from now.
async fn carry_out(
    state: &Arc<State>,
    permit: Permit,
    payment: PaymentRequest,
    rule: &PostRule,
    delay: Duration,
) -> Said {
    let store = {
        let state = Arc::clone(state);
        let held = Held {
            amount: payment.amount,
            requested_at: payment.requested_at,
        };
        let replaces = rule.held == IfHeld::Replaces;
        move || {
            let mut books = state.books();
            if replaces {
                books.remove(payment.id);
            }
            books.insert(payment.id, held)
        }
    };
    let stores_after = rule.stores.then(|| rule.stores_after.unwrap_or(delay));
    let (is_new, wait) = match stores_after {
        Some(after) if after <= delay => {
            pause(after).await;
            (store(), delay - after)
        }
        later => {
            pause(delay).await;
            let is_new = state.books().find(payment.id).is_none();
            if let Some(after) = later.filter(|_| is_new) {
                tokio::spawn(async move {
                    // It keeps the permit, so that no more are late than there are permits.
                    let _permit = permit;
                    sleep(after - delay).await;
                    store();
                });
            }
            (is_new, Duration::ZERO)
        }
    };
    match rule.held {
        IfHeld::Status(status) if !is_new => {
            state.stats().counts.duplicates += 1;
            answer::message(status, "the correlationId already exists").into()
        }
        IfHeld::Status(_) | IfHeld::SameRule | IfHeld::Replaces => {
            rule.reply.said(StatusCode::OK, DONE).after(wait)
        }
    }
}

async fn pause(time: Duration) {
    // Even the shortest sleep takes a millisecond.
    if !time.is_zero() {
        sleep(time).await;
    }
}
