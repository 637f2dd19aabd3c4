//! What the suites need of a store: one that is empty, and samples to put into it.

use std::future::Future;
use std::time::Duration;

use feeway_domain::{
    Accept, CorrelationId, Fee, Hold, Incarnation, LAPSE, Money, Payment, ProcessorName,
    RequestedAt, Settlement, Store, Window,
};
use feeway_memory_store::MemoryStore;
use feeway_store::{RedisConfig, RedisStore, Settings};
use feeway_testing::PrivateRedis;

/// A store and its surroundings.
pub(crate) trait World {
    type Store: Store;

    fn store(&self) -> &Self::Store;

    /// As if no owner had been heard of for [`LAPSE`].
    fn owners_fall_silent(&self) -> impl Future<Output = ()>;

    /// As if every rejection had been made a retention ago.
    fn rejections_grow_old(&self) -> impl Future<Output = ()>;

    /// As if every payment that left a processor had left it so much earlier.
    fn freed_grow_old(&self, age: Duration) -> impl Future<Output = ()>;

    /// As if every run had settled what it settled so much earlier.
    fn runs_grow_old(&self, age: Duration) -> impl Future<Output = ()>;
}

pub(crate) struct InMemory(MemoryStore);

impl InMemory {
    pub(crate) fn new(max_open: u64) -> Self {
        Self(MemoryStore::new(max_open, RedisConfig::RETENTION))
    }
}

impl World for InMemory {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn owners_fall_silent(&self) {
        tokio::time::advance(LAPSE).await;
    }

    async fn rejections_grow_old(&self) {
        tokio::time::advance(RedisConfig::RETENTION).await;
    }

    async fn freed_grow_old(&self, age: Duration) {
        tokio::time::advance(age).await;
    }

    async fn runs_grow_old(&self, age: Duration) {
        tokio::time::advance(age).await;
    }
}

pub(crate) struct InRedis {
    pub(crate) redis: PrivateRedis,
    pub(crate) store: RedisStore,
}

impl InRedis {
    pub(crate) async fn new(max_open: u64) -> Self {
        Self::on(PrivateRedis::start(), max_open).await
    }

    pub(crate) async fn on(redis: PrivateRedis, max_open: u64) -> Self {
        let mut config = RedisConfig::new(redis.url().parse().unwrap());
        config.max_open = max_open;
        // Its Redis may keep no file, and fronts look at theirs.
        config.settings = Settings::Logged;
        let store = RedisStore::new(config);
        up(&store).await;
        store.redis().ready().await.unwrap();
        // As a front does that has enlisted: it begins the run.
        store.beat(&[]).await.unwrap();
        Self { redis, store }
    }

    /// Another process at the same Redis.
    pub(crate) async fn another(&self) -> RedisStore {
        let store = RedisStore::new(RedisConfig::new(self.redis.url().parse().unwrap()));
        up(&store).await;
        store
    }

    /// Ends Redis and starts it again; the store is connected to it when this returns.
    pub(crate) async fn restart(&mut self) {
        let mut restarts = self.store.redis().restarts();
        restarts.borrow_and_update();
        self.redis.restart();
        restarts.changed().await.unwrap();
        up(&self.store).await;
    }

    /// A connection past the store.
    pub(crate) async fn raw(&self) -> redis::aio::MultiplexedConnection {
        raw(&self.redis).await
    }
}

impl World for InRedis {
    type Store = RedisStore;

    fn store(&self) -> &RedisStore {
        &self.store
    }

    async fn owners_fall_silent(&self) {
        let mut raw = self.raw().await;
        let owners: Vec<String> = redis::cmd("SMEMBERS")
            .arg("{0}:owners")
            .query_async(&mut raw)
            .await
            .unwrap();
        redis::cmd("HINCRBY")
            .arg("{0}:run")
            .arg("since")
            .arg(-i64::try_from(LAPSE.as_micros()).unwrap())
            .exec_async(&mut raw)
            .await
            .unwrap();
        for owner in owners {
            redis::cmd("HINCRBY")
                .arg(format!("{{0}}:owner:{owner}"))
                .arg("beat")
                .arg(-i64::try_from(LAPSE.as_micros()).unwrap())
                .exec_async(&mut raw)
                .await
                .unwrap();
        }
    }

    async fn rejections_grow_old(&self) {
        let mut raw = self.raw().await;
        make_older(&mut raw, "{0}:rejections", RedisConfig::RETENTION).await;
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("{0}:rejected:*")
            .query_async(&mut raw)
            .await
            .unwrap();
        redis::cmd("DEL")
            .arg(keys)
            .exec_async(&mut raw)
            .await
            .unwrap();
    }

    async fn freed_grow_old(&self, age: Duration) {
        make_older(&mut self.raw().await, "{0}:freed", age).await;
    }

    async fn runs_grow_old(&self, age: Duration) {
        make_older(&mut self.raw().await, "{0}:settling-runs", age).await;
    }
}

/// Takes so much from the time of every member.
async fn make_older(raw: &mut redis::aio::MultiplexedConnection, key: &str, age: Duration) {
    let range = redis::cmd("ZRANGE")
        .arg(key)
        .arg(&["0", "-1"])
        .query_async(raw)
        .await;
    let members: Vec<Vec<u8>> = range.unwrap();
    for member in members {
        redis::cmd("ZINCRBY")
            .arg(key)
            .arg(format!("-{}", age.as_micros()))
            .arg(member)
            .exec_async(raw)
            .await
            .unwrap();
    }
}

pub(crate) async fn raw(redis: &PrivateRedis) -> redis::aio::MultiplexedConnection {
    let url = format!("unix://{}", redis.socket().display());
    let client = redis::Client::open(url).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Waits until a store has both its connections.
pub(crate) async fn up(store: &RedisStore) {
    until("redis is up", || store.redis().is_up()).await;
}

/// Looks every few milliseconds until something is so; panics after ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(10), looking).await;
    assert!(found.is_ok(), "waited in vain until {what}");
}

pub(crate) fn id(number: u64) -> CorrelationId {
    // Spread over the whole id, as those of a shop are.
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    CorrelationId::from_bytes(spread.to_be_bytes())
}

pub(crate) fn cents(cents: i64) -> Money {
    Money::from_cents(cents).unwrap()
}

pub(crate) fn payment(number: u64) -> Payment {
    Payment {
        id: id(number),
        amount: cents(1_990),
    }
}

pub(crate) fn processor(name: &str) -> ProcessorName {
    name.parse().unwrap()
}

pub(crate) fn at(text: &str) -> RequestedAt {
    text.parse().unwrap()
}

pub(crate) fn micros(micros: i64) -> RequestedAt {
    RequestedAt::from_micros(micros).unwrap()
}

pub(crate) fn settlement(number: u64, name: &str, requested_at: RequestedAt) -> Settlement {
    Settlement {
        payment: payment(number),
        processor: processor(name),
        requested_at,
        fee: Fee::from_millionths(50_000).unwrap(),
    }
}

pub(crate) fn window(from: RequestedAt, to: RequestedAt) -> Window {
    Window::new(Some(from), Some(to)).unwrap()
}

pub(crate) async fn enlist(store: &impl Store, name: &str) -> Hold {
    store.enlist(&Incarnation::new(name)).await.unwrap()
}

pub(crate) async fn keep(store: &impl Store, hold: &Hold, number: u64, name: Option<&str>) {
    let named = name.map(processor);
    let accepted = store.accept(hold, &payment(number), named.as_ref()).await;
    assert!(matches!(accepted, Ok(Accept::Kept { .. })), "{accepted:?}");
}
