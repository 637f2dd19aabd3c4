use feeway_domain::CorrelationId;
use hyper::Method;

use crate::problem::{self, Problem};

/// What a path asks for. Paths are compared byte by byte: one with a trailing slash or a
/// percent-encoded letter is another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/payments`
    Payments,
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
    /// The route of a request, or the refusal of its path or method.
    pub(crate) fn of(method: &Method, path: &str) -> Result<Self, &'static Problem> {
        let route = Self::of_path(path).ok_or(&problem::NO_SUCH_ADDRESS)?;
        let (expected, refusal) = match route {
            Self::Payments | Self::Purge => (Method::POST, &problem::POST_ONLY),
            Self::Payment(_) | Self::Summary | Self::Ready => (Method::GET, &problem::GET_ONLY),
        };
        if *method == expected {
            Ok(route)
        } else {
            Err(refusal)
        }
    }

    fn of_path(path: &str) -> Option<Self> {
        match path {
            "/payments" => Some(Self::Payments),
            "/payments-summary" => Some(Self::Summary),
            "/purge-payments" => Some(Self::Purge),
            "/readyz" => Some(Self::Ready),
            other => {
                let id = other.strip_prefix("/payments/")?;
                id.parse().ok().map(Self::Payment)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    fn check(path: &str, expected: Option<Route>) {
        assert_eq!(Route::of_path(path), expected, "{path}");
    }

    #[test]
    fn paths_are_exact() {
        check("/payments", Some(Route::Payments));
        check("/payments-summary", Some(Route::Summary));
        check("/purge-payments", Some(Route::Purge));
        check("/readyz", Some(Route::Ready));
        check(
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
            check(path, None);
        }
    }
}
