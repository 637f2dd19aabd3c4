use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bb8_redis::bb8::ManageConnection;
use feeway_books::recent::Recent;
use feeway_domain::{Cause, Standstill};
use feeway_redis_layout::keys;
use feeway_redis_layout::written::Written;
use feeway_sockets::QuietStream;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, PushInfo, PushKind, RedisError, Value};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::config::RedisConfig;
use crate::connect_error::ConnectError;
use crate::inspection::{Inspection, ask};
use crate::library;
use crate::link::Link;
use crate::node::{Node, node};
use crate::past::{Met, Past};
use crate::refusals::Refusals;
use crate::run::Run;
use crate::settings::Settings;
use crate::standing::{Lane, SchemaError, Standing};

/// How long a command may take. With [`CHECKOUT`] it stays under the second in which a
/// client has to be answered.
pub(crate) const COMMAND: Duration = Duration::from_millis(700);

/// How long to wait for a connection before nothing is sent at all.
pub(crate) const CHECKOUT: Duration = Duration::from_millis(250);

/// Commands waiting to be written to one connection; more wait in their callers.
const PIPELINE: usize = 256;

const SCHEMA: &str = "2";

/// What all connections of one process share.
pub(crate) struct Shared {
    pub(crate) standing: Standing,
    pub(crate) recent: Recent<Written>,
    /// What is known of the run that the connections lead to.
    pub(crate) run: Run,
    /// Held for reading from before a write is sent until it is noted as recent; a replay
    /// holds it for writing, so it misses nothing that was acknowledged.
    pub(crate) gate: RwLock<()>,
    /// The run of Redis that was last connected to. Connections are made one at a time.
    last_run: Mutex<Option<String>>,
    /// Nothing for a program that goes on with whatever data it finds.
    pub(crate) past: Option<Past>,
    /// Told when the other lane's connection leads to another run: it is given up.
    links: std::sync::Mutex<Vec<(Lane, Arc<AtomicBool>)>>,
    pub(crate) standstill: Arc<Standstill>,
    pub(crate) settings: Settings,
    pub(crate) inspection: Inspection,
    pub(crate) denied_at: std::sync::Mutex<Option<Instant>>,
    /// That too much is kept to be repeated was said.
    pub(crate) is_overflow_told: AtomicBool,
    refusals: Refusals,
    demotions: Refusals,
}

impl Shared {
    pub(crate) fn new(config: &RedisConfig) -> Self {
        Self {
            standing: Standing::new(),
            recent: Recent::default(),
            run: Run::default(),
            gate: RwLock::new(()),
            last_run: Mutex::new(None),
            past: config.keeps_identity.then(Past::default),
            links: std::sync::Mutex::default(),
            standstill: Arc::clone(&config.standstill),
            settings: config.settings,
            inspection: Inspection::default(),
            denied_at: std::sync::Mutex::default(),
            is_overflow_told: AtomicBool::new(false),
            refusals: Refusals::of_credentials(),
            demotions: Refusals::of_demotions(),
        }
    }

    /// A lane has this connection now.
    fn keep(&self, lane: Lane, broken: &Arc<AtomicBool>) {
        let mut links = self.links();
        links.retain(|(of, _)| *of != lane);
        links.push((lane, Arc::clone(broken)));
    }

    /// Redis is another one than before. Whatever leads to the old one is of no use.
    pub(crate) fn give_up_links(&self) {
        for (_, broken) in self.links().drain(..) {
            broken.store(true, Ordering::Release);
        }
        self.standing.broken.notify_one();
    }

    fn links(&self) -> std::sync::MutexGuard<'_, Vec<(Lane, Arc<AtomicBool>)>> {
        self.links.lock().expect("nothing panics under this lock")
    }
}

/// Makes the connections of one pool, and sees that Redis has what we need before any of
/// them is used. (The manager of `bb8-redis` cannot tell that a connection has ended.)
pub(crate) struct Connector {
    client: Client,
    lane: Lane,
    pub(crate) only_reads: bool,
    pub(crate) shared: Arc<Shared>,
}

impl Connector {
    pub(crate) fn new(client: Client, lane: Lane, only_reads: bool, shared: Arc<Shared>) -> Self {
        Self {
            client,
            lane,
            only_reads,
            shared,
        }
    }

    async fn open(&self) -> Result<Link, ConnectError> {
        let number = self.shared.standing.number();
        let broken = Arc::new(AtomicBool::new(false));
        let told = (Arc::clone(&broken), Arc::downgrade(&self.shared), self.lane);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(COMMAND))
            .set_response_timeout(Some(COMMAND))
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(move |push: PushInfo| {
                let (broken, shared, lane) = &told;
                if push.kind == PushKind::Disconnection {
                    broken.store(true, Ordering::Release);
                    if let Some(shared) = shared.upgrade() {
                        let why = "the connection was closed";
                        shared.standing.disconnected(*lane, number, why);
                    }
                }
                Ok::<(), std::convert::Infallible>(())
            });
        let (connection, driver) = self.connect_with(config).await?;
        Ok(Link {
            connection,
            _driver: driver,
            broken,
            number,
            lane: self.lane,
            identity: None,
            shared: Arc::clone(&self.shared),
        })
    }

    /// A connection, and what has to live as long as it.
    async fn connect_with(
        &self,
        config: AsyncConnectionConfig,
    ) -> Result<(MultiplexedConnection, Arc<JoinSet<()>>), RedisError> {
        let info = self.client.get_connection_info();
        let mut driver = JoinSet::new();
        let ConnectionAddr::Unix(path) = info.addr() else {
            let client = &self.client;
            let connecting = client.get_multiplexed_async_connection_with_config(&config);
            return Ok((connecting.await?, Arc::new(driver)));
        };
        // The client would ask the kernel for more wake-ups than there is something to read.
        let connecting = async {
            let stream = QuietStream::new(UnixStream::connect(path).await?)?;
            MultiplexedConnection::new_with_config(info.redis_settings(), stream, config).await
        };
        let (connection, driven) = timeout(COMMAND, connecting)
            .await
            .map_err(io::Error::from)??;
        driver.spawn(driven);
        Ok((connection, Arc::new(driver)))
    }

    async fn prepared(&self) -> Result<Link, ConnectError> {
        let mut last_run = self.shared.last_run.lock().await;
        let mut link = self.open().await?;
        let found = node(&mut link.connection).await?;
        let node = found.ok_or(ConnectError::NoRunId)?;
        if node.is_too_old() {
            return Err(ConnectError::TooOld(node.version));
        }
        let Node {
            run, is_replica, ..
        } = node;
        if is_replica && self.lane == Lane::Writes && !self.only_reads {
            return Err(ConnectError::Replica);
        }
        let only_reads = self.only_reads || is_replica;
        // A replica has what its primary has, and is not written to.
        let past = self.shared.past.as_ref().filter(|_| !is_replica);
        let verdict = match past {
            Some(past) => {
                let answered_at = self.shared.recent.answered_at();
                Some(past.look(&mut link.connection, answered_at).await?)
            }
            None => None,
        };
        let provided = library::provide(&mut link.connection, only_reads).await;
        match provided {
            // Its primary has other functions soon, so this is not for good.
            Err(ConnectError::Functions(_)) if !self.only_reads && is_replica => {
                return Err(ConnectError::Replica);
            }
            provided => self.shared.has_functions(provided?),
        }
        check_schema(&mut link.connection, only_reads).await?;
        if self.lane == Lane::Writes && self.shared.settings != Settings::Ignored {
            let told = ask(&mut link.connection).await?;
            self.shared.inspected_first(&told);
        }
        let met = match (past, verdict) {
            (Some(past), Some(verdict)) => past.meet(&mut link.connection, verdict, &run).await?,
            _ => None,
        };
        let is_adopted = met.as_ref().is_some_and(Met::is_adopted);
        link.identity = met.as_ref().map(Met::argument);
        // Nothing can be repeated to a replica. Whoever finds its primary does it.
        let is_other = !is_replica && last_run.as_ref().is_some_and(|last| *last != run);
        let forgetful = is_other || is_adopted;
        if let Some(past) = past.filter(|_| is_adopted) {
            self.shared.recent.owe_first(past.in_hand());
        }
        if !is_replica {
            self.meet_run(&mut link, &run, forgetful).await?;
        } else if self.only_reads {
            self.shared.run.trust(&run);
        }
        if let (Some(past), Some(met)) = (past, met) {
            past.belongs(met, &run);
        }
        if is_adopted {
            self.shared.standstill.adopted();
        }
        if !is_replica {
            *last_run = Some(run);
        }
        self.shared.keep(self.lane, &link.broken);
        let standing = &self.shared.standing;
        standing.connected(self.lane, link.number, forgetful);
        // It may have ended before anybody listened.
        if link.is_broken() {
            standing.disconnected(self.lane, link.number, "the connection was closed");
        }
        standing.prepared(Ok(()));
        Ok(link)
    }

    /// What a new connection for writes tells of whether Redis takes any.
    fn note_refusal(&self, result: &Result<Link, ConnectError>) {
        let shared = &self.shared;
        if self.lane != Lane::Writes {
            return;
        }
        match result {
            Err(error @ ConnectError::Replica) => {
                shared.demotions.add();
                shared.refuses(&error.to_string());
            }
            Err(ConnectError::Lost(lost)) => shared.has_lost(lost),
            Err(error) if error.is_for_want_of_something() => shared.refuses(&error.to_string()),
            Ok(_) => {
                shared.demotions.end();
                shared.has_its_past();
                shared.takes_writes();
            }
            // It does not answer, so that what it refused before says nothing.
            Err(error) if !error.is_answer() => {
                shared.standstill.end(Cause::Refusing);
            }
            Err(_) => {}
        }
    }
}

impl ManageConnection for Connector {
    type Connection = Link;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Link, ConnectError> {
        let Shared {
            standing,
            refusals,
            demotions,
            past,
            ..
        } = &*self.shared;
        if !refusals.may_ask() {
            return Err(ConnectError::Refused);
        }
        if self.lane == Lane::Writes && !demotions.may_ask() {
            return Err(ConnectError::Replica);
        }
        if let Some(lost) = past.as_ref().and_then(Past::still_lost) {
            return Err(ConnectError::Lost(lost));
        }
        let result = self.prepared().await;
        self.note_refusal(&result);
        match &result {
            Ok(_) => refusals.end(),
            Err(error) if error.is_refusal() => {
                refusals.add();
                standing.refused(self.lane, &error.to_string());
            }
            Err(error) => {
                standing.unreachable(self.lane, &error.to_string(), error.is_answer());
            }
        }
        match &result {
            Err(ConnectError::Schema(error)) => standing.prepared(Err(error.clone().into())),
            Err(ConnectError::Functions(error)) => standing.prepared(Err(error.clone().into())),
            Ok(_) | Err(_) => {}
        }
        result
    }

    async fn is_valid(&self, _: &mut Link) -> Result<(), ConnectError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.is_broken()
    }
}

/// An empty Redis gets the schema, unless whoever asks only reads.
async fn check_schema(
    connection: &mut MultiplexedConnection,
    only_reads: bool,
) -> Result<(), ConnectError> {
    let found: Option<String> = redis::cmd("GET")
        .arg(keys::SCHEMA)
        .query_async(connection)
        .await?;
    match found {
        Some(found) if found != SCHEMA => Err(SchemaError {
            found,
            known: SCHEMA,
        }
        .into()),
        Some(_) => Ok(()),
        None if only_reads => Ok(()),
        None => {
            let written: Value = redis::cmd("SET")
                .arg(keys::SCHEMA)
                .arg(SCHEMA)
                .arg("NX")
                .query_async(connection)
                .await?;
            // Somebody else was faster; what they wrote is checked like any other.
            if written == Value::Nil {
                return Box::pin(check_schema(connection, only_reads)).await;
            }
            Ok(())
        }
    }
}
