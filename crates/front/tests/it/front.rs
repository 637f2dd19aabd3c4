//! A front over a scripted store and intake, on sockets of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Ledger, LedgerFault, Listing, Page, Payment, PaymentState, Purge, StoreFault,
    Summary, Window,
};
use feeway_front::{Admin, App, AppSettings, Intake, Limits, ListenAddress, Server, Vitals};
use feeway_worker::Submit;
use tempfile::TempDir;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// What the store and the intake are to answer, and what they were asked.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) submits: Mutex<VecDeque<Submit>>,
    pub(crate) submitted: Mutex<Vec<Payment>>,
    pub(crate) summary: Mutex<Option<Result<Summary, LedgerFault>>>,
    pub(crate) page: Mutex<Option<Result<Page, LedgerFault>>>,
    pub(crate) listings: Mutex<Vec<Listing>>,
    pub(crate) windows: Mutex<Vec<Window>>,
    pub(crate) state: Mutex<Option<Result<Option<PaymentState>, StoreFault>>>,
    pub(crate) purge: Mutex<Option<Result<Purge, StoreFault>>>,
    /// While one of these is shut, payments, questions or listings wait.
    pub(crate) payment_gate: Gate,
    pub(crate) question_gate: Gate,
    pub(crate) listing_gate: Gate,
}

/// Open unless it is shut.
pub(crate) struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(Semaphore::MAX_PERMITS))
    }
}

impl Gate {
    pub(crate) fn shut(&self) {
        self.0.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS);
    }

    async fn pass(&self) {
        let _permit = self.0.acquire().await.unwrap();
    }
}

#[derive(Clone)]
struct Scripted(Arc<Script>);

impl Intake for Scripted {
    async fn submit(&self, payment: Payment) -> Submit {
        self.0.submitted.lock().unwrap().push(payment);
        self.0.payment_gate.pass().await;
        let next = self.0.submits.lock().unwrap().pop_front();
        next.unwrap_or(Submit::Kept)
    }
}

impl Ledger for Scripted {
    async fn summary(&self, window: Window) -> Result<Summary, LedgerFault> {
        self.0.windows.lock().unwrap().push(window);
        self.0.question_gate.pass().await;
        let scripted = self.0.summary.lock().unwrap().clone();
        scripted.unwrap_or(Ok(Summary::default()))
    }

    async fn list(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        self.0.listings.lock().unwrap().push(listing.clone());
        self.0.listing_gate.pass().await;
        let scripted = self.0.page.lock().unwrap().clone();
        scripted.unwrap_or(Ok(Page::default()))
    }

    async fn find(&self, _: CorrelationId) -> Result<Option<PaymentState>, StoreFault> {
        self.0.question_gate.pass().await;
        self.0.state.lock().unwrap().clone().unwrap_or(Ok(None))
    }

    async fn purge(&self) -> Result<Purge, StoreFault> {
        self.0.question_gate.pass().await;
        self.0.purge.lock().unwrap().unwrap_or(Ok(Purge::Purged))
    }
}

/// Limits with short times, so that the tests of time-outs end soon.
pub(crate) fn short_limits() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        write_timeout: Duration::from_millis(300),
        notice: Duration::from_millis(300),
        farewell: Duration::from_millis(500),
        ..Limits::default()
    }
}

/// A front that serves until it is stopped or dropped.
pub(crate) struct Front {
    pub(crate) script: Arc<Script>,
    pub(crate) tcp: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) unix: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    _directory: TempDir,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Front {
    /// A ready front with the limits of the product, and purging on.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default(), true, true).await
    }

    pub(crate) async fn start_with(limits: Limits, allow_purge: bool, ready: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let unix = directory.path().join("front.sock");
        let any_port: ListenAddress = "tcp:127.0.0.1:0".parse().unwrap();
        let payments = [any_port.clone(), ListenAddress::Unix(unix.clone())];
        let server = Server::bind(&payments, &[any_port]).await.unwrap();
        let tcp = tcp_of(&server.addresses());
        let admin = tcp_of(&server.admin_addresses());

        let script = Arc::new(Script::default());
        let scripted = Scripted(Arc::clone(&script));
        let settings = AppSettings {
            processors: ["default", "fallback"]
                .map(|name| name.parse().unwrap())
                .into(),
            deployment: "feeway".parse().unwrap(),
            allow_purge,
            limits,
        };
        let app = Arc::new(App::new(scripted.clone(), scripted, settings));
        if ready {
            app.readiness().set_loaded();
        }
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { stopped.await.unwrap_or_default() };
        let readiness = Arc::clone(app.readiness());
        let answers = Arc::new(Admin::new(readiness, Vitals::default, || {
            "written when it is asked for\n".to_owned()
        }));
        let served = tokio::spawn(server.run(app, answers, shutdown));
        Self {
            script,
            tcp,
            admin,
            unix,
            stop: Some(stop),
            served,
            _directory: directory,
        }
    }

    /// Tells the front to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(&mut self) {
        (&mut self.served).await.unwrap();
    }

    /// The amounts in cents that reached the intake.
    pub(crate) fn submitted_cents(&self) -> Vec<i64> {
        let submitted = self.script.submitted.lock().unwrap();
        submitted
            .iter()
            .map(|payment| payment.amount.cents())
            .collect()
    }

    /// Waits until so many payments have reached the intake.
    pub(crate) async fn until_submitted(&self, payments: usize) {
        until(|| self.script.submitted.lock().unwrap().len() == payments).await;
    }
}

/// Waits until something holds that another task brings about; 10 s at the most.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("it comes to hold within 10 s");
}

fn tcp_of(addresses: &[ListenAddress]) -> SocketAddr {
    addresses
        .iter()
        .find_map(|address| match address {
            ListenAddress::Tcp(address) => Some(*address),
            ListenAddress::Unix(_) => None,
        })
        .unwrap()
}
