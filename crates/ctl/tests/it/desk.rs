//! A Redis with payments in it, and the tool at hand.

use std::ffi::OsString;
use std::time::Duration;

use feeway_ctl::{Ending, Options, run};
use feeway_domain::{
    CorrelationId, Fee, Hold, Incarnation, Money, Payment, RequestedAt, Settlement, Store,
};
use feeway_store::{RedisConfig, RedisStore};
use feeway_testing::PrivateRedis;
use tokio::task::JoinHandle;

pub(crate) struct Desk {
    pub(crate) redis: PrivateRedis,
    pub(crate) store: RedisStore,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::on(PrivateRedis::start()).await
    }

    pub(crate) async fn on(redis: PrivateRedis) -> Self {
        let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
        store.redis().ready().await.unwrap();
        while !store.redis().is_up() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Self { redis, store }
    }

    /// Runs the tool in this process: how it ended, and what it wrote.
    pub(crate) async fn ctl(&self, arguments: &[&str]) -> anyhow::Result<(Ending, String)> {
        ctl(&self.redis.url(), arguments).await
    }

    pub(crate) async fn enlist(&self, name: &str) -> Hold {
        self.store.enlist(&Incarnation::new(name)).await.unwrap()
    }

    pub(crate) async fn keep(&self, hold: &Hold, number: u8, processor: Option<&str>) {
        let named = processor.map(|name| name.parse().unwrap());
        let payment = payment(number);
        let accepted = self.store.accept(hold, &payment, named.as_ref()).await;
        accepted.unwrap();
    }

    pub(crate) async fn settle(&self, number: u8, processor: &str, at: RequestedAt) {
        let settlement = Settlement {
            payment: payment(number),
            processor: processor.parse().unwrap(),
            requested_at: at,
            fee: Fee::from_millionths(50_000).unwrap(),
        };
        self.store.settle(&settlement).await.unwrap();
    }

    /// A front that has nothing in flight anywhere: it beats, and does what it is told.
    pub(crate) fn obedient(&self, hold: &Hold) -> JoinHandle<()> {
        let (store, hold) = (self.store.clone(), hold.clone());
        tokio::spawn(async move {
            loop {
                store.beat(std::slice::from_ref(&hold)).await.unwrap();
                for order in store.stand_backs().await.unwrap() {
                    let (processor, token) = (&order.processor, &order.token);
                    let confirm = store.confirm_stand_back(&hold, processor, token);
                    // It may be at an end already.
                    confirm.await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
    }

    /// The clock of Redis.
    pub(crate) async fn now(&self) -> RequestedAt {
        let beat = self.store.beat(&[]).await.unwrap();
        RequestedAt::from_micros(beat.now.micros()).unwrap()
    }
}

pub(crate) async fn ctl(redis: &str, arguments: &[&str]) -> anyhow::Result<(Ending, String)> {
    let redis = format!("--redis={redis}");
    let always = ["feeway-ctl", &redis];
    let arguments = always.iter().chain(arguments).map(OsString::from);
    let options = Options::read(arguments).unwrap();
    let mut out = Vec::new();
    let ending = run(&options, &mut out).await?;
    Ok((ending, String::from_utf8(out).unwrap()))
}

pub(crate) fn id(number: u8) -> CorrelationId {
    CorrelationId::from_bytes([number; 16])
}

pub(crate) fn payment(number: u8) -> Payment {
    Payment {
        id: id(number),
        amount: Money::from_cents(1_000 + i64::from(number)).unwrap(),
    }
}

pub(crate) fn at(text: &str) -> RequestedAt {
    text.parse().unwrap()
}
