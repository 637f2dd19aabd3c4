use feeway_domain::CorrelationId;
use hyper::Method;

use crate::problem::{self, Problem};

/// What can be done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Methods {
    get: Option<Route>,
    post: Option<Route>,
}

impl Methods {
    fn get(route: Route) -> Self {
        Self {
            get: Some(route),
            post: None,
        }
    }
}

/// What a path asks for. Paths are compared byte by byte: one with a trailing slash or a
/// percent-encoded letter is another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `POST /payments`
    Accept,
    /// `GET /payments`
    List,
    /// `/payments/{id}`
    Payment(CorrelationId),
    /// `/payments-summary`
    Summary,
    /// `/purge-payments`
    Purge,
    /// `/readyz`
    Ready,
}

impl Route {
    /// What each route is called in the metrics; the last stands for everything else.
    pub(crate) const LABELS: [&str; 7] = [
        "POST /payments",
        "GET /payments",
        "GET /payments/{id}",
        "GET /payments-summary",
        "POST /purge-payments",
        "GET /readyz",
        "other",
    ];

    /// The place of a route's label.
    pub(crate) fn label_index(route: Option<Self>) -> usize {
        match route {
            Some(Self::Accept) => 0,
            Some(Self::List) => 1,
            Some(Self::Payment(_)) => 2,
            Some(Self::Summary) => 3,
            Some(Self::Purge) => 4,
            Some(Self::Ready) => 5,
            None => 6,
        }
    }

    /// The route of a request, or the refusal of its path or method.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, &'static Problem> {
        let routes = Self::of_path(path)?;
        match (method, routes) {
            // A HEAD is answered as a GET; hyper leaves the body out.
            (
                &Method::GET | &Method::HEAD,
                Methods {
                    get: Some(route), ..
                },
            ) => Ok(route),
            (
                &Method::POST,
                Methods {
                    post: Some(route), ..
                },
            ) => Ok(route),
            (_, Methods { post: None, .. }) => Err(&problem::GET_ONLY),
            (_, Methods { get: None, .. }) => Err(&problem::POST_ONLY),
            (_, _) => Err(&problem::GET_OR_POST_ONLY),
        }
    }

    fn of_path(path: &str) -> Result<Methods, &'static Problem> {
        match path {
            "/payments" => Ok(Methods {
                get: Some(Self::List),
                post: Some(Self::Accept),
            }),
            "/payments-summary" => Ok(Methods::get(Self::Summary)),
            "/purge-payments" => Ok(Methods {
                get: None,
                post: Some(Self::Purge),
            }),
            "/readyz" => Ok(Methods::get(Self::Ready)),
            other => match other.strip_prefix("/payments/") {
                Some(id) if !id.is_empty() && !id.contains('/') => {
                    let id = id.parse().or(Err(&problem::NOT_AN_ID))?;
                    Ok(Methods::get(Self::Payment(id)))
                }
                Some(_) | None => Err(&problem::NO_SUCH_ADDRESS),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    fn check(method: &Method, path: &str, expected: Option<Route>) {
        assert_eq!(Route::of(method, path).ok(), expected, "{method} {path}");
    }

    #[test]
    fn paths_are_exact() {
        let (get, post) = (&Method::GET, &Method::POST);
        check(post, "/payments", Some(Route::Accept));
        check(get, "/payments", Some(Route::List));
        check(&Method::HEAD, "/payments", Some(Route::List));
        check(&Method::HEAD, "/purge-payments", None);
        check(&Method::PUT, "/payments", None);
        check(get, "/payments-summary", Some(Route::Summary));
        check(post, "/payments-summary", None);
        check(post, "/purge-payments", Some(Route::Purge));
        check(get, "/purge-payments", None);
        check(get, "/readyz", Some(Route::Ready));
        check(
            get,
            &format!("/payments/{ID}"),
            ID.parse().ok().map(Route::Payment),
        );
        for path in [
            "",
            "/",
            "*",
            "/payments/",
            "/Payments",
            "/p%61yments",
            "//payments",
            "/payments-summary/",
            "/payments/x",
            "/payments/service-health",
            "/metrics",
            "/healthz",
            "/admin/payments-summary",
            &format!("/payments/{ID}/"),
        ] {
            check(get, path, None);
            check(post, path, None);
        }
    }
}
