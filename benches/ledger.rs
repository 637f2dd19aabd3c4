//! A ledger in a Redis of its own, and payments to fill it with.

use std::collections::BTreeMap;
use std::time::Duration;

use feeway_domain::{
    CorrelationId, Fee, Money, Payment, ProcessorName, RequestedAt, Settlement, Store,
};
use feeway_store::{RedisConfig, RedisStore};
use feeway_testing::PrivateRedis;
use futures_util::stream::{self, StreamExt};
use redis::aio::MultiplexedConnection;

/// 2025-07-15T00:00:00Z, where the payments begin.
pub const MIDNIGHT: i64 = 1_752_537_600_000_000;

/// Settles under way while a ledger is filled.
const AT_ONCE: usize = 256;

/// A store on a Redis of its own, which ends with it.
pub struct Ledger {
    /// The store.
    pub store: RedisStore,
    /// A connection past the store.
    pub raw: MultiplexedConnection,
    /// The server.
    pub redis: PrivateRedis,
}

impl Ledger {
    /// An empty one.
    ///
    /// # Panics
    /// When no redis-server can be started.
    pub async fn start() -> Self {
        let redis = PrivateRedis::start();
        let store = RedisStore::new(RedisConfig::new(
            redis
                .url()
                .parse()
                .expect("the path of a socket makes a URL"),
        ));
        store.redis().ready().await.expect("an empty redis");
        let raw = connect(&redis).await;
        Self { store, raw, redis }
    }

    /// Settles so many payments, evenly spread over a time that begins at [`MIDNIGHT`].
    ///
    /// # Panics
    /// When one cannot be settled.
    pub async fn fill(&self, payments: u64, span: Duration) {
        let span = i64::try_from(span.as_micros()).expect("a short time");
        stream::iter(0..payments)
            .map(|number| async move {
                let part = i128::from(number) * i128::from(span) / i128::from(payments);
                let done = settlement(number, MIDNIGHT + i64::try_from(part).expect("a part"));
                self.store.settle(&done).await
            })
            .buffer_unordered(AT_ONCE)
            .for_each(|settled| async move { assert!(settled.is_ok(), "{settled:?}") })
            .await;
    }
}

/// A connection that waits as long as it takes.
///
/// # Panics
/// When there is none.
pub async fn connect(redis: &PrivateRedis) -> MultiplexedConnection {
    let url = format!("unix://{}", redis.socket().display());
    let client = redis::Client::open(url).expect("a URL");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .expect("redis runs")
}

/// Payment number so and so: ids are spread as those of a shop are.
///
/// # Panics
/// Never.
pub fn payment(number: u64) -> Payment {
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Payment {
        id: CorrelationId::from_bytes(spread.to_be_bytes()),
        amount: Money::from_cents(1_990).expect("an amount"),
    }
}

/// Three of four are settled at `default`, the others at `fallback`.
///
/// # Panics
/// When the instant lies outside of 1970 to 9999.
pub fn settlement(number: u64, micros: i64) -> Settlement {
    Settlement {
        payment: payment(number),
        processor: processor(number),
        requested_at: instant(micros),
        fee: Fee::from_millionths(50_000).expect("a fee"),
    }
}

/// Who settles payment number so and so.
///
/// # Panics
/// Never.
pub fn processor(number: u64) -> ProcessorName {
    let name = if number.is_multiple_of(4) {
        "fallback"
    } else {
        "default"
    };
    name.parse().expect("a name")
}

/// An instant.
///
/// # Panics
/// When it lies outside of 1970 to 9999.
pub fn instant(micros: i64) -> RequestedAt {
    RequestedAt::from_micros(micros).expect("in this millennium")
}

/// What Redis says in a section of `INFO`.
///
/// # Panics
/// When it says nothing.
pub async fn info(raw: &mut MultiplexedConnection, section: &str) -> String {
    let info = redis::cmd("INFO").arg(section).query_async(raw).await;
    info.expect("redis answers")
}

/// Bytes that Redis uses.
///
/// # Panics
/// When it does not say.
pub async fn memory_bytes(raw: &mut MultiplexedConnection) -> u64 {
    let memory = info(raw, "memory").await;
    let used = memory
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    used.expect("a line").parse().expect("a number")
}

/// Begins `commandstats` anew.
///
/// # Panics
/// When Redis is gone.
pub async fn reset_stats(raw: &mut MultiplexedConnection) {
    let reset = redis::cmd("CONFIG").arg("RESETSTAT").exec_async(raw).await;
    reset.expect("redis answers");
}

/// Microseconds that Redis spent on every command, by its own `commandstats`.
///
/// # Panics
/// When they are unreadable.
pub async fn spent_micros(raw: &mut MultiplexedConnection) -> BTreeMap<String, f64> {
    let stats = info(raw, "commandstats").await;
    let lines = stats
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_"));
    let read = |line: &str| {
        let (name, fields) = line.split_once(':')?;
        let usec = fields
            .split(',')
            .find_map(|field| field.strip_prefix("usec="))?;
        Some((name.to_owned(), usec.parse().ok()?))
    };
    lines.map(|line| read(line).expect("a statistic")).collect()
}
