use std::fmt;
use std::sync::Arc;

use feeway_domain::{CorrelationId, Fee, RequestedAt, RequestedAtError, Total, Window};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;

use crate::answer::{self, Answer, Cut};
use crate::api::{bad_request, read_body};
use crate::chaos::ChaosChange;
use crate::dump::Dump;
use crate::rules::Rules;
use crate::seen::SeenRequest;
use crate::state::{State, unix_second};
use crate::switches::MAX_DELAY_MS;

const TOKEN: &str = "x-rinha-token";

/// The most bytes of a document of rules, and of the other settings.
const DOCUMENT_LIMIT: usize = 256 * 1024;

/// Whether a request is for the administration.
pub(crate) fn is_admin(request: &Request<Incoming>) -> bool {
    request.uri().path().starts_with("/admin/")
}

/// Answers an administrator.
pub(crate) async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Answer, Cut> {
    let token = request.headers().get(TOKEN);
    if !token.is_some_and(|token| state.switches.token_is(token.as_bytes())) {
        return Ok(answer::empty(StatusCode::UNAUTHORIZED));
    }
    let (head, body) = request.into_parts();
    let is = |method: Method| head.method == method;
    Ok(match head.uri.path() {
        "/admin/payments-summary" if is(Method::GET) => {
            summary(&state, head.uri.query().unwrap_or(""))
        }
        "/admin/dump" if is(Method::GET) => answer::dump(Dump::of_books(state)),
        "/admin/payments" if is(Method::GET) => answer::dump(Dump::of_requests(state)),
        "/admin/stats" if is(Method::GET) => stats(&state),
        "/admin/asks" if is(Method::GET) => answer::serialized(&state.asks().arrivals()),
        "/admin/chaos" if is(Method::GET) => answer::serialized(&state.fortune().chaos()),
        "/admin/rules" if is(Method::GET) => answer::serialized(state.rules().document()),
        "/admin/payments-summary"
        | "/admin/dump"
        | "/admin/payments"
        | "/admin/stats"
        | "/admin/asks" => answer::wrong_method("GET"),
        "/admin/purge-payments" if is(Method::POST) => {
            state.purge();
            answer::message(StatusCode::OK, "All payments purged.")
        }
        "/admin/purge-payments" => answer::wrong_method("POST"),
        "/admin/chaos" | "/admin/rules" if !is(Method::PUT) => answer::wrong_method("GET, PUT"),
        path @ ("/admin/chaos"
        | "/admin/rules"
        | "/admin/configurations/token"
        | "/admin/configurations/delay"
        | "/admin/configurations/failure") => {
            if !is(Method::PUT) {
                return Ok(answer::wrong_method("PUT"));
            }
            match read_body(body, DOCUMENT_LIMIT).await? {
                Ok(body) => configure(&state, path, &body)
                    .await
                    .unwrap_or_else(|error| bad_request(&error)),
                Err(refusal) => refusal,
            }
        }
        path => match path.strip_prefix("/admin/payments/") {
            None => answer::empty(StatusCode::NOT_FOUND),
            Some(_) if !is(Method::GET) => answer::wrong_method("GET"),
            Some(id) => match id.parse() {
                Ok(id) => payment(&state, id),
                Err(error) => bad_request(&error),
            },
        },
    })
}

#[derive(Deserialize)]
struct TokenBody {
    token: String,
}

#[derive(Deserialize)]
struct DelayBody {
    delay: u32,
}

#[derive(Deserialize)]
struct FailureBody {
    failure: bool,
}

async fn configure(state: &State, path: &str, body: &[u8]) -> serde_json::Result<Answer> {
    let processor = &state.name;
    match path {
        "/admin/configurations/token" => {
            let TokenBody { token } = serde_json::from_slice(body)?;
            state.switches.set_token(token);
            info!(%processor, "token set");
            Ok(answer::empty(StatusCode::NO_CONTENT))
        }
        "/admin/configurations/delay" => {
            let DelayBody { delay } = serde_json::from_slice(body)?;
            if delay > MAX_DELAY_MS {
                return Ok(bad_request(&format!(
                    "a delay is at most {MAX_DELAY_MS} ms"
                )));
            }
            let before = state.switches.set_delay_ms(delay);
            info!(%processor, delay_ms = delay, before, "delay set");
            Ok(answer::serialized(
                &json!({ "delay": delay, "before": before }),
            ))
        }
        "/admin/configurations/failure" => {
            let FailureBody { failure } = serde_json::from_slice(body)?;
            let before = state.switches.set_failing(failure);
            info!(%processor, failing = failure, before, "failure switch set");
            Ok(answer::serialized(
                &json!({ "failure": failure, "before": before }),
            ))
        }
        "/admin/rules" => match String::from_utf8_lossy(body).parse::<Rules>() {
            Ok(rules) => {
                state.set_rules(rules);
                Ok(answer::serialized(state.rules().document()))
            }
            Err(error) => Ok(bad_request(&error)),
        },
        _ => {
            let change: ChaosChange = serde_json::from_slice(body)?;
            let chaos = change.applied_to(state.fortune().chaos());
            state.set_chaos(chaos, change.seed.is_some()).await;
            Ok(answer::serialized(&chaos))
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatsBody {
    posts: u64,
    duplicates: u64,
    busy: u64,
    failed: u64,
    malformed: u64,
    ruled: u64,
    payments: usize,
    working: usize,
    queued: usize,
    per_second: Vec<SecondBody>,
}

#[derive(Serialize)]
struct SecondBody {
    second: i64,
    posts: u64,
}

fn stats(state: &State) -> Answer {
    let (counts, seconds) = {
        let mut stats = state.stats();
        (stats.counts, stats.per_second(unix_second()))
    };
    answer::serialized(&StatsBody {
        posts: counts.posts,
        duplicates: counts.duplicates,
        busy: counts.busy,
        failed: counts.failed,
        malformed: counts.malformed,
        ruled: counts.ruled,
        payments: state.books().len(),
        working: state.permits.working(),
        queued: state.permits.queued(),
        per_second: seconds
            .into_iter()
            .map(|(second, posts)| SecondBody { second, posts })
            .collect(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PaymentBody {
    correlation_id: String,
    posts: u32,
    look_ups: u32,
    held: bool,
    requests: Vec<SeenRequest>,
}

/// What this processor has to do with one id, whether or not it holds it.
fn payment(state: &State, id: CorrelationId) -> Answer {
    let (counts, requests) = {
        let seen = state.seen();
        (seen.counts(id), seen.requests(id))
    };
    answer::serialized(&PaymentBody {
        correlation_id: id.to_string(),
        posts: counts.posts,
        look_ups: counts.look_ups,
        held: state.books().find(id).is_some(),
        requests,
    })
}

fn summary(state: &State, query: &str) -> Answer {
    let total = match (instant(query, "from"), instant(query, "to")) {
        (Ok(Some(from)), Ok(Some(to))) => {
            // Nothing lies between an instant and an earlier one.
            Window::new(Some(from), Some(to))
                .map_or_else(|_| Total::default(), |window| state.books().total(window))
        }
        (Ok(_), Ok(_)) => state.books().total(Window::default()),
        (Err(error), _) | (_, Err(error)) => return bad_request(&error),
    };
    let (count, amount, fee) = (total.count, total.amount(), state.fee);
    let total_fee = ExactFee { total, fee };
    answer::json(
        StatusCode::OK,
        format!(
            r#"{{"totalRequests":{count},"totalAmount":{amount},"totalFee":{total_fee},"feePerTransaction":{fee}}}"#
        ),
    )
}

/// The value of a query's first member of that name.
fn instant(query: &str, name: &str) -> Result<Option<RequestedAt>, RequestedAtError> {
    query
        .split('&')
        .filter_map(|member| member.split_once('='))
        .find(|(member, _)| *member == name)
        // A colon is the only character of an instant that clients write as an escape.
        .map(|(_, value)| value.replace("%3A", ":").replace("%3a", ":"))
        .map(|value| RequestedAt::from_processor(&value))
        .transpose()
}

/// The fee's share of a total, exact to the hundred-millionth. (The processor's published
/// source multiplies the number of payments instead; the fees here are shares of amounts.)
struct ExactFee {
    total: Total,
    fee: Fee,
}

impl fmt::Display for ExactFee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SCALE: i128 = 100 * 1_000_000;
        let fee = self.total.cents * i128::from(self.fee.millionths());
        let decimals = format!("{:08}", fee % SCALE);
        let (cents, rest) = decimals.split_at(2);
        write!(f, "{}.{cents}{}", fee / SCALE, rest.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fees_are_exact() {
        for (cents, fee, expected) in [
            (0, "0.05", "0.00"),
            (1990, "0.05", "0.995"),
            (2000, "0.05", "1.00"),
            (1, "0.000001", "0.00000001"),
            (181_651_265, "0.07", "127155.8855"),
            (99_999_999_999_999, "1", "999999999999.99"),
        ] {
            let total = Total { count: 1, cents };
            let fee = fee.parse().unwrap();
            assert_eq!(ExactFee { total, fee }.to_string(), expected);
        }
    }

    #[test]
    fn a_query_may_escape_its_colons() {
        let expected = "2025-07-15T12:34:56.001Z".parse().ok();
        for query in [
            "from=2025-07-15T12:34:56.001Z",
            "to=x&from=2025-07-15T12%3A34%3a56.001Z",
            "from=2025-07-15T12:34:56.001&to=",
        ] {
            assert_eq!(instant(query, "from"), Ok(expected), "{query}");
        }
        assert_eq!(instant("to=1", "from"), Ok(None));
        assert_eq!(instant("", "from"), Ok(None));
        assert_eq!(instant("from=", "from"), Err(RequestedAtError::Form));
        assert_eq!(
            instant("from=yesterday", "from"),
            Err(RequestedAtError::Form)
        );
    }
}
