use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::ProcessorName;
use feeway_health::{ConnectFault, ReportPublisher};
use feeway_process::{Exposition, ExpositionError};
use feeway_processor::{HttpProcessor, HttpProcessorConfig, ProcessorOption, SetUpError};
use feeway_store::{RedisConfig, RedisStore, Settings, Unusable};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::admin::Admin;
use crate::asking::Asking;
use crate::lease::{Claim, keep_claiming};
use crate::meters::AskMeters;
use crate::options::Options;

/// How long questions in hand may take after the signal to stop: a question's own time-out
/// of 2 s, and a second to note and publish it.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// How long giving back the lease may take; it ends by itself soon after.
const VACATE_TIMEOUT: Duration = Duration::from_secs(1);

/// The health daemon, ready to run.
pub struct Leader {
    options: Options,
    store: RedisStore,
    publisher: Arc<ReportPublisher>,
    clients: Vec<HttpProcessor>,
    admin: TcpListener,
    exposition: Exposition,
}

/// Why a leader cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The admin listener's address cannot be had.
    #[error("cannot listen on {0}")]
    Admin(SocketAddr, #[source] io::Error),
    /// A processor's URL or files cannot be used.
    #[error("processor {0}")]
    Processor(ProcessorName, #[source] SetUpError),
    /// The process has other metrics already.
    #[error(transparent)]
    Metrics(#[from] ExpositionError),
    /// The NATS client does not start.
    #[error(transparent)]
    Nats(#[from] ConnectFault),
}

impl Leader {
    /// Takes the admin address and begins to connect. Neither Redis nor NATS has to be up.
    pub async fn bind(options: Options) -> Result<Self, BindError> {
        let address = options.admin_listen.0;
        let admin = TcpListener::bind(address)
            .await
            .map_err(|error| BindError::Admin(address, error))?;
        let config = HttpProcessorConfig {
            // One question at a time.
            max_connections: 1,
            ..HttpProcessorConfig::default()
        };
        let clients: Result<Vec<_>, _> = options
            .processors
            .iter()
            .map(|ProcessorOption { processor, access }| {
                HttpProcessor::with_access(&processor.url, access, config.clone())
                    .map_err(|error| BindError::Processor(processor.name.clone(), error))
            })
            .collect();
        Ok(Self {
            // Payments are not its business, so it only says what it finds.
            store: RedisStore::new(RedisConfig {
                settings: Settings::Logged,
                // It writes no payments, but whose lease it takes and for whom it asks matters.
                keeps_identity: true,
                ..options.redis.config()
            }),
            publisher: Arc::new(ReportPublisher::connect(options.nats.config()).await?),
            clients: clients?,
            admin,
            exposition: Exposition::install(env!("CARGO_PKG_VERSION"))?,
            options,
        })
    }

    /// Where the admin listener is.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.local_addr()
    }

    /// Runs until `shutdown` resolves, then finishes the questions in hand and gives the
    /// lease back. Dropping the future is like being killed: the lease ends by itself. Ends
    /// early when Redis holds data or functions that this build cannot use.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Unusable> {
        let token = token(&self.options.name);
        info!(token, processors = self.clients.len(), "started");
        let (stop, stopped) = watch::channel(false);
        let (standing, current) = watch::channel(Claim::Unknown);
        let mut tasks = JoinSet::new();
        for (option, client) in self.options.processors.iter().zip(self.clients) {
            let processor = &option.processor;
            let asking = Asking {
                processor: processor.name.clone(),
                client,
                store: self.store.clone(),
                token: token.clone(),
                publisher: Arc::clone(&self.publisher),
                standing: current.clone(),
                restarts: self.store.redis().restarts(),
                meters: AskMeters::new(&processor.name),
            };
            tasks.spawn(asking.run(stopped.clone()));
        }
        let upkeep = tokio::spawn(self.exposition.clone().keep_small());
        tasks.spawn(keep_claiming(
            self.store.clone(),
            token.clone(),
            standing,
            stopped,
        ));
        let admin = Admin {
            standing: current,
            store: self.store.clone(),
            nats: self.publisher.link(),
            exposition: self.exposition,
        };
        let result = tokio::select! {
            () = shutdown => Ok(()),
            Err(error) = self.store.redis().ready() => Err(error),
            () = admin.serve(self.admin) => Ok(()),
            Some(ended) = tasks.join_next() => {
                // They run until they are told to stop.
                error!(?ended, "a task ended unexpectedly");
                Ok(())
            }
        };
        upkeep.abort();
        stop.send_replace(true);
        let finished = timeout(STOP_TIMEOUT, async {
            while tasks.join_next().await.is_some() {}
        });
        if finished.await.is_err() {
            warn!("a health request was cut off");
            tasks.shutdown().await;
        }
        match timeout(VACATE_TIMEOUT, self.store.vacate_lease(&token)).await {
            Ok(Ok(())) => info!("stopped; the lease is released"),
            Ok(Err(_)) | Err(_) => warn!("stopped; the lease will expire"),
        }
        result
    }
}

/// A name that no other life of any leader has.
fn token(name: &str) -> String {
    // Its keys come from the operating system's random source.
    let random = RandomState::new().build_hasher().finish();
    format!("{name}.{random:016x}")
}
