use std::sync::Arc;

use feeway_domain::ProcessorClient;
use feeway_health::NatsLink;
use feeway_process::{CONTENT_TYPE, Exposition};
use feeway_store::RedisStore;
use feeway_worker::Gateway;
use hyper::{Method, Request};
use metrics::{describe_gauge, gauge};

use crate::answer::{self, Answer};
use crate::problem::{self, Problem};
use crate::readiness::Readiness;
use crate::store_gauges;
use crate::vitals::Vitals;

/// What the admin listener answers with.
pub struct Admin {
    readiness: Arc<Readiness>,
    vitals: Box<dyn Fn() -> Vitals + Send + Sync>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
}

impl Admin {
    /// Answers with the readiness, with what `vitals` reports when it is asked, and with what
    /// `metrics` then writes in Prometheus's text format.
    pub fn new(
        readiness: Arc<Readiness>,
        vitals: impl Fn() -> Vitals + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        describe_gauge!("feeway_ready", "1 while payments should be sent here.");
        describe_gauge!("feeway_redis_up", "1 while Redis is connected.");
        describe_gauge!(
            "feeway_nats_up",
            "1 while NATS can be used: it is connected, denies nothing and delivers the reports."
        );
        Self {
            readiness,
            vitals: Box::new(vitals),
            metrics: Box::new(metrics),
        }
    }

    /// Answers `/healthz` (this process lives), `/readyz` and `/metrics`.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Answer {
        match (request.uri().path(), request.method()) {
            ("/healthz", &Method::GET | &Method::HEAD) => answer::done(),
            ("/readyz", &Method::GET | &Method::HEAD) => self.readyz(),
            ("/metrics", &Method::GET | &Method::HEAD) => {
                answer::text(CONTENT_TYPE, self.metrics())
            }
            ("/healthz" | "/readyz" | "/metrics", _) => problem::GET_ONLY.answer(),
            _ => problem::NO_ADMIN_ADDRESS.answer(),
        }
    }

    /// 200 or 503 as on the payment listeners, whatever the servers do later, with one exception:
    /// 503 while this front accepts nothing. The body says how the servers are.
    fn readyz(&self) -> Answer {
        let vitals = (self.vitals)();
        let is_ready = self.readiness.is_ready();
        let members = format!(r#""ready":{is_ready},{vitals}"#);
        let because = vitals
            .refusal
            .as_deref()
            .unwrap_or("the reason is not known");
        let why = if self.readiness.is_draining() {
            "this front is shutting down".to_owned()
        } else if vitals.stands_still {
            format!("this front accepts and starts nothing: {because}")
        } else if vitals.is_unfit {
            format!("this front accepts no new payments: {because}")
        } else if is_ready {
            return answer::json(format!("{{{members}}}"));
        } else if vitals.redis_up {
            "this front is not yet registered in the journal".to_owned()
        } else {
            format!("this front is waiting for Redis: {because}")
        };
        Problem::not_ready(&why, &members).answer()
    }

    fn metrics(&self) -> String {
        let flag = |holds| if holds { 1.0 } else { 0.0 };
        let vitals = (self.vitals)();
        gauge!("feeway_ready").set(flag(self.readiness.is_ready()));
        gauge!("feeway_redis_up").set(flag(vitals.redis_up));
        gauge!("feeway_nats_up").set(flag(vitals.nats_fault.is_none()));
        (self.metrics)()
    }
}

/// The admin listener's answers over the parts of a running front.
pub fn admin_of<C: ProcessorClient>(
    readiness: Arc<Readiness>,
    store: RedisStore,
    gateway: Gateway<RedisStore, C>,
    nats: NatsLink,
    exposition: Exposition,
) -> Admin {
    let clock = gateway.clone();
    let watched = store.clone();
    store_gauges::describe();
    let vitals = move || Vitals {
        refusal: refusal(&store),
        stands_still: store.redis().standstill().is_on(),
        is_unfit: store.redis().standstill().is_own(),
        redis_up: store.redis().is_up(),
        nats_fault: nats.fault(),
        clock_offset_micros: clock.clock_offset(),
    };
    let metrics = move || {
        store_gauges::observe(&watched);
        gateway.observe();
        exposition.page()
    };
    Admin::new(readiness, vitals, metrics)
}

/// Why no new payments are accepted because of Redis.
fn refusal(store: &RedisStore) -> Option<String> {
    let away = || {
        let why = store.redis().trouble().filter(|_| !store.redis().is_up());
        why.map(|trouble| format!("no connection to Redis: {}", trouble.why))
    };
    let closed = || {
        let why =
            "Redis was restarted and other fronts are still repeating what it may have forgotten";
        (!store.redis().is_open()).then(|| why.to_owned())
    };
    store
        .redis()
        .standstill()
        .why()
        .or_else(away)
        .or_else(closed)
}
