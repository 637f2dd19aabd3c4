use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use tokio::task::JoinHandle;
use tracing::{debug, error};

use crate::admin;
use crate::answer::{self, Answer, Cut, Said, Then};
use crate::look_up::look_up;
use crate::pay::pay;
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
            match read_body(request.into_body(), BODY_LIMIT).await? {
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
            Some("service-health") => health(&state).await.say().await,
            Some(id) => match id.parse() {
                Ok(id) => finish(tokio::spawn(look_up(state, id))).await,
                Err(error) => malformed(&state, &error).say().await,
            },
        },
    }
}

/// Reads a body; the inner error is the answer to one that is too long.
pub(crate) async fn read_body(body: Incoming, limit: usize) -> Result<Result<Bytes, Answer>, Cut> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(Ok(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            Ok(Err(answer::empty(StatusCode::PAYLOAD_TOO_LARGE)))
        }
        Err(error) => {
            debug!(%error, "the client disconnected while it sent a body");
            Err(Cut::silent(Then::Closes))
        }
    }
}

/// The processor's answer to what is no payment, or no id.
pub(crate) fn malformed(state: &State, why: &impl ToString) -> Said {
    let rules = state.rules();
    let Some(rule) = rules.malformed() else {
        return bad_request(why).into();
    };
    let usual = serde_json::json!({ "message": why.to_string() });
    let said = rule.reply.said(StatusCode::BAD_REQUEST, usual.to_string());
    said.after(rule.delay)
}

pub(crate) fn bad_request(why: &impl ToString) -> Answer {
    answer::message(StatusCode::BAD_REQUEST, &why.to_string())
}

/// The end of work that ran in a task of its own.
async fn finish(work: JoinHandle<Said>) -> Result<Answer, Cut> {
    let said = work.await.unwrap_or_else(|error| {
        error!(%error, "a request failed because of a bug");
        Err(Cut::silent(Then::Closes)).into()
    });
    said.say().await
}

/// Answers once in a while, unless there is a rule: that one answers everybody.
async fn health(state: &State) -> Said {
    state.asks().arrive(unix_micros());
    let told = || {
        let (failing, delay_ms) = (state.switches.failing(), state.switches.delay_ms());
        format!(r#"{{"failing":{failing},"minResponseTime":{delay_ms}}}"#)
    };
    if let Some(rule) = state.rules().health() {
        let said = rule.reply.said(StatusCode::OK, told());
        return said.after(rule.delay);
    }
    if !state.health_window.enter().await {
        return answer::too_many().into();
    }
    answer::json(StatusCode::OK, told()).into()
}
