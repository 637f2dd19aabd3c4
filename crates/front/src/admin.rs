use hyper::{Method, Request};

use crate::answer::{self, Answer};
use crate::app::readyz;
use crate::problem::{self, Problem};
use crate::readiness::Readiness;

/// Answers a request of the admin listener: `/healthz` (this process lives) and `/readyz`.
pub(crate) fn answer<B>(readiness: &Readiness, request: &Request<B>) -> Answer {
    let handled = match (request.uri().path(), request.method()) {
        ("/healthz", &Method::GET) => Ok(answer::done()),
        ("/readyz", &Method::GET) => readyz(readiness),
        ("/healthz" | "/readyz", _) => Err(&problem::GET_ONLY),
        _ => Err(&problem::NO_ADMIN_ADDRESS),
    };
    handled.unwrap_or_else(Problem::answer)
}
