use std::sync::{Arc, Mutex, PoisonError};

use feeway_domain::{
    CorrelationId, Ledger, LedgerFault, Listing, Page, Payment, ProcessorName, Purge, RequestedAt,
    StoreFault,
};
use feeway_processor::Deployment;
use hyper::body::Incoming;
use hyper::header::VIA;
use hyper::{HeaderMap, Request};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::answer::{self, Answer};
use crate::intake::{self, Intake};
use crate::limits::Limits;
use crate::meters::{DoorMeters, Meters, Refused};
use crate::payment_body::PaymentParser;
use crate::problem::{self, Problem, Refusal};
use crate::readiness::Readiness;
use crate::route::Route;
use crate::{listing, payment_state, query, request_body, summary, window_query};

/// What a front answers with: the store for questions, the intake for payments.
pub struct App<S, I> {
    store: S,
    intake: I,
    settings: AppSettings,
    readiness: Arc<Readiness>,
    parser: Mutex<PaymentParser>,
    payments_in_hand: Semaphore,
    questions_in_hand: Semaphore,
    listings_in_hand: Semaphore,
    meters: Meters,
}

/// What an [`App`] is told once.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The configured processors in fee order.
    pub processors: Vec<ProcessorName>,
    /// Whose front this is. A payment that it has sent on itself is refused.
    pub deployment: Deployment,
    /// Whether `POST /purge-payments` may empty the ledger.
    pub allow_purge: bool,
    /// The bounds towards clients.
    pub limits: Limits,
}

type Handled = Result<Answer, Refusal>;

impl<S: Ledger, I: Intake> App<S, I> {
    /// An app that is not ready yet.
    pub fn new(store: S, intake: I, settings: AppSettings) -> Self {
        let limits = &settings.limits;
        Self {
            store,
            intake,
            readiness: Arc::default(),
            parser: Mutex::default(),
            payments_in_hand: Semaphore::new(limits.payments_in_hand),
            questions_in_hand: Semaphore::new(limits.questions_in_hand),
            listings_in_hand: Semaphore::new(limits.listings_in_hand),
            meters: Meters::new(),
            settings,
        }
    }

    /// Whether payments should be sent here; the caller says when.
    pub fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// The bounds towards clients.
    pub(crate) fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// What the payment listeners count.
    pub(crate) fn door_meters(&self) -> &DoorMeters {
        &self.meters.door
    }

    /// Answers one request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let began = Instant::now();
        let route = Route::of(request.method(), request.uri().path());
        let handled = match route {
            Ok(route) => self.handle(route, request).await,
            Err(problem) => Err(problem.into()),
        };
        let answer = handled.unwrap_or_else(|refusal| refusal.answer());
        self.meters.answered(route.ok(), answer.status(), began);
        answer
    }

    async fn handle(&self, route: Route, request: Request<Incoming>) -> Handled {
        let query = request.uri().query();
        match route {
            Route::Accept => self.accept(request).await,
            Route::List => self.list(query).await,
            Route::Payment(id) => {
                alone(query)?;
                self.find(id).await
            }
            Route::Summary => self.summary(query).await,
            Route::Purge => {
                alone(query)?;
                self.purge().await
            }
            Route::Ready => {
                alone(query)?;
                readyz(&self.readiness).map_err(Refusal::from)
            }
        }
    }

    async fn accept(&self, request: Request<Incoming>) -> Handled {
        let refused = |refused| self.meters.refused(refused);
        if is_through(&self.settings.deployment, request.headers()) {
            refused(Refused::Loop);
            return Err(Refusal::from(&problem::LOOP));
        }
        alone(request.uri().query()).inspect_err(|_| refused(Refused::Malformed))?;
        let body = request_body::read(request.into_body(), self.limits().body_timeout)
            .await
            .inspect_err(|problem| refused(Refused::of_body(problem.status())))?;
        let payment = self
            .parse(&body)
            .inspect_err(|_| refused(Refused::Malformed))?;
        // A slow client holds no permit: it is counted from here on only.
        let _permit = permit(&self.payments_in_hand, &problem::FRONT_BUSY)
            .inspect_err(|_| refused(Refused::Busy))?;
        let submit = self.intake.submit(payment).await;
        if let Some(why) = intake::refusal_of(&submit) {
            refused(why);
        }
        intake::answer_to(&submit)
    }

    fn parse(&self, body: &[u8]) -> Result<Payment, Problem> {
        let mut parser = self.parser.lock().unwrap_or_else(PoisonError::into_inner);
        let parsed = parser.parse(body);
        parsed.map_err(|error| Problem::bad_request(&error.to_string()))
    }

    async fn summary(&self, query: Option<&str>) -> Handled {
        let window =
            window_query::parse(query).map_err(|error| Problem::bad_request(&error.to_string()))?;
        let _permit = permit(&self.questions_in_hand, &problem::TOO_MANY_QUESTIONS)?;
        let summary = self.store.summary(window).await;
        let summary = summary.map_err(|fault| refusal_of(fault, Problem::cut_hour))?;
        Ok(answer::json(summary::body(
            &self.settings.processors,
            &summary,
        )))
    }

    async fn list(&self, query: Option<&str>) -> Handled {
        let asked =
            listing::parse(query).map_err(|error| Problem::bad_request(&error.to_string()))?;
        let _permit = permit(&self.listings_in_hand, &problem::TOO_MANY_QUESTIONS)?;
        let page = match self.store.list(&asked).await {
            Err(LedgerFault::TooOld { oldest }) => self.list_since(oldest, &asked).await,
            page => page,
        };
        let page = page.map_err(|fault| refusal_of(fault, Problem::too_old))?;
        Ok(answer::json(listing::body(asked.listed, &page)))
    }

    /// What is kept of a listing that begins earlier, if that is all there ever was.
    async fn list_since(&self, oldest: RequestedAt, asked: &Listing) -> Result<Page, LedgerFault> {
        if let Some(before) = asked.before(oldest)
            && !self.store.summary(before).await?.is_empty()
        {
            return Err(LedgerFault::TooOld { oldest });
        }
        match asked.since(oldest) {
            Some(kept) => self.store.list(&kept).await,
            None => Ok(Page::default()),
        }
    }

    async fn find(&self, id: CorrelationId) -> Handled {
        let _permit = permit(&self.questions_in_hand, &problem::TOO_MANY_QUESTIONS)?;
        let found = self.store.find(id).await.map_err(ledger_away)?;
        let state = found.ok_or(&problem::NO_SUCH_PAYMENT)?;
        Ok(answer::json(payment_state::body(&state)))
    }

    async fn purge(&self) -> Handled {
        if !self.settings.allow_purge {
            return Err(Refusal::from(&problem::PURGE_FORBIDDEN));
        }
        let _permit = permit(&self.questions_in_hand, &problem::TOO_MANY_QUESTIONS)?;
        let refusal = match self.store.purge().await {
            Ok(Purge::Purged) => return Ok(answer::done()),
            Ok(Purge::Open(payments)) => Problem::still_open(payments).into(),
            Err(StoreFault::Unknown) => Refusal::from(&problem::PURGE_UNKNOWN),
            Err(StoreFault::Closed) => Refusal::from(&problem::LEDGER_CLOSED),
            Err(StoreFault::Away | StoreFault::Full) => Refusal::from(&problem::LEDGER_AWAY),
        };
        Err(refusal)
    }
}

/// Whether a request came through this deployment, and so goes round in circles: one of its
/// processors leads back here.
fn is_through(deployment: &Deployment, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(VIA).into_iter();
    values.any(|value| deployment.is_in_via(&String::from_utf8_lossy(value.as_bytes())))
}

/// Refuses parameters to a request that takes none.
fn alone(query: Option<&str>) -> Result<(), Problem> {
    query::none(query).map_err(|error| Problem::bad_request(&error.to_string()))
}

/// 200 when payments should be sent here, else 503.
pub(crate) fn readyz(readiness: &Readiness) -> Result<Answer, &'static Problem> {
    if readiness.is_ready() {
        Ok(answer::done())
    } else {
        Err(&problem::NOT_READY)
    }
}

fn permit<'a>(
    lane: &'a Semaphore,
    full: &'static Problem,
) -> Result<SemaphorePermit<'a>, &'static Problem> {
    lane.try_acquire().or(Err(full))
}

/// Why the ledger has no answer.
fn refusal_of(fault: LedgerFault, too_old: fn(RequestedAt) -> Problem) -> Refusal {
    match fault {
        LedgerFault::TooOld { oldest } => too_old(oldest).into(),
        LedgerFault::Store(fault) => ledger_away(fault).into(),
    }
}

/// A question changes nothing, so it hardly matters what kept the store from answering.
fn ledger_away(fault: StoreFault) -> &'static Problem {
    match fault {
        StoreFault::Closed => &problem::LEDGER_CLOSED,
        StoreFault::Away | StoreFault::Full | StoreFault::Unknown => &problem::LEDGER_AWAY,
    }
}
