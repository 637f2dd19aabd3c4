//! What a front counts of its clients.

use std::sync::OnceLock;

use hyper::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use tokio::time::Instant;

use crate::route::Route;

/// The statuses that a front answers with; another one counts as the last.
const CODES: [(StatusCode, &str); 13] = [
    (StatusCode::ACCEPTED, "202"),
    (StatusCode::OK, "200"),
    (StatusCode::BAD_REQUEST, "400"),
    (StatusCode::FORBIDDEN, "403"),
    (StatusCode::NOT_FOUND, "404"),
    (StatusCode::METHOD_NOT_ALLOWED, "405"),
    (StatusCode::REQUEST_TIMEOUT, "408"),
    (StatusCode::CONFLICT, "409"),
    (StatusCode::PAYLOAD_TOO_LARGE, "413"),
    (StatusCode::UNPROCESSABLE_ENTITY, "422"),
    (StatusCode::SERVICE_UNAVAILABLE, "503"),
    (StatusCode::LOOP_DETECTED, "508"),
    (StatusCode::INTERNAL_SERVER_ERROR, "500"),
];

/// Why a payment was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed,
    TooLarge,
    /// Its body did not arrive, or not in time.
    Incomplete,
    /// It came back from a processor.
    Loop,
    AmountDiffers,
    /// Every processor declined it.
    Rejected,
    StoreAway,
    /// The store may have forgotten some, and waits for those who remember them.
    StoreClosed,
    /// A store that is there cannot be used, or not be trusted.
    StandsStill,
    JournalFull,
    MemoryFull,
    Busy,
    FateUnknown,
}

impl Refused {
    const ALL: [(Self, &str); 13] = [
        (Self::Malformed, "malformed"),
        (Self::TooLarge, "too_large"),
        (Self::Incomplete, "incomplete"),
        (Self::Loop, "loop"),
        (Self::AmountDiffers, "amount_differs"),
        (Self::Rejected, "rejected"),
        (Self::StoreAway, "store_away"),
        (Self::StoreClosed, "store_closed"),
        (Self::StandsStill, "stands_still"),
        (Self::JournalFull, "journal_full"),
        (Self::MemoryFull, "memory_full"),
        (Self::Busy, "busy"),
        (Self::FateUnknown, "fate_unknown"),
    ];

    /// Of a body that was not read, by the status that says so.
    pub(crate) fn of_body(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            Self::TooLarge
        } else {
            Self::Incomplete
        }
    }
}

/// The handles are made once, so that counting a request is a few atomic additions.
pub(crate) struct Meters {
    refused: [Counter; Refused::ALL.len()],
    durations: [Histogram; Route::LABELS.len()],
    /// Made when the first such answer is given: most pairs never occur.
    answers: [[OnceLock<Counter>; CODES.len()]; Route::LABELS.len()],
    pub(crate) door: DoorMeters,
}

impl Meters {
    pub(crate) fn new() -> Self {
        describe_counter!(
            "feeway_payments_refused_total",
            "POST /payments that were not answered with 202, by reason."
        );
        describe_counter!("feeway_http_requests_total", "Requests answered.");
        describe_histogram!(
            "feeway_http_request_duration_seconds",
            "From a request's head to its answer, body included."
        );
        describe_gauge!("feeway_http_connections", "Connections of clients.");
        describe_counter!(
            "feeway_http_connections_refused_total",
            "Connections beyond the limit, which were answered with 503 and closed."
        );
        Self {
            refused: Refused::ALL
                .map(|(_, reason)| counter!("feeway_payments_refused_total", "reason" => reason)),
            durations: Route::LABELS
                .map(|route| histogram!("feeway_http_request_duration_seconds", "route" => route)),
            answers: Default::default(),
            door: DoorMeters {
                connections: gauge!("feeway_http_connections"),
                refused: counter!("feeway_http_connections_refused_total"),
            },
        }
    }

    /// A payment was not accepted.
    pub(crate) fn refused(&self, why: Refused) {
        let place = Refused::ALL.iter().position(|(reason, _)| *reason == why);
        if let Some(place) = place {
            self.refused[place].increment(1);
        }
    }

    /// A request was answered; without a route when its path or method is unknown.
    pub(crate) fn answered(&self, route: Option<Route>, status: StatusCode, began: Instant) {
        let route = Route::label_index(route);
        self.durations[route].record(began.elapsed());
        let code = CODES.iter().position(|(code, _)| *code == status);
        let code = code.unwrap_or(CODES.len() - 1);
        let counter = self.answers[route][code].get_or_init(|| {
            let (route, code) = (Route::LABELS[route], CODES[code].1);
            counter!("feeway_http_requests_total", "route" => route, "code" => code)
        });
        counter.increment(1);
    }
}

/// What a listener counts.
#[derive(Clone)]
pub(crate) struct DoorMeters {
    connections: Gauge,
    pub(crate) refused: Counter,
}

impl DoorMeters {
    /// For a listener whose clients do not count.
    pub(crate) fn unseen() -> Self {
        Self {
            connections: Gauge::noop(),
            refused: Counter::noop(),
        }
    }

    /// Counts a connection until the visit is dropped.
    pub(crate) fn enter(&self) -> Visit {
        self.connections.increment(1.0);
        Visit(self.connections.clone())
    }
}

/// A client's connection.
pub(crate) struct Visit(Gauge);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
