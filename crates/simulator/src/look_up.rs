use std::sync::Arc;

use feeway_domain::CorrelationId;
use hyper::StatusCode;
use tokio::time::sleep;

use crate::answer::{self, Said};
use crate::rules::LookUpRule;
use crate::seen::{Method, SeenRequest};
use crate::state::{State, unix_micros};

/// Looks a payment up: no delay and no failure switch, but it needs a permit, and there may
/// be a rule.
pub(crate) async fn look_up(state: Arc<State>, id: CorrelationId) -> Said {
    let at_us = unix_micros();
    let nth = state.seen().count(id, Method::Get);
    let said = find(&state, id, nth).await;
    let request = SeenRequest {
        at_us,
        method: Method::Get,
        status: said.status().map(|status| status.as_u16()),
    };
    state.seen().keep(id, request);
    said
}

async fn find(state: &State, id: CorrelationId, nth: u32) -> Said {
    let Some(_permit) = state.permits.enter().await else {
        return answer::too_many().into();
    };
    let rule = state.rules().look_up(id, nth).unwrap_or_default();
    let LookUpRule {
        delay, lag, print, ..
    } = &*rule;
    if !delay.is_zero() {
        sleep(*delay).await;
    }
    let held = state.books().find_older(id, *lag);
    let (status, body) = match (held, rule.if_absent) {
        (Some(held), _) if !rule.misses(nth) => (StatusCode::OK, print.json(id, &held)),
        (_, None) => (StatusCode::NOT_FOUND, String::new()),
        (_, Some(status)) => (status, r#"{"message":"no such payment"}"#.to_owned()),
    };
    rule.reply.said(status, body)
}
