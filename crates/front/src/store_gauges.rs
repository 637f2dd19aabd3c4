//! What Redis is like, as gauges that are set when somebody asks.

use feeway_domain::Cause;
use feeway_store::{Breach, RedisStore};
use metrics::{counter, describe_counter, describe_gauge, gauge};

pub(crate) fn describe() {
    describe_gauge!(
        "feeway_not_accepting",
        "1 while new payments are refused for this cause."
    );
    describe_gauge!(
        "feeway_store_barrier_open",
        "0 while a restarted Redis waits for the fronts to repeat what it may have forgotten."
    );
    describe_counter!(
        "feeway_store_unrepeatable_total",
        "Writes that Redis may have forgotten and that could not be repeated because of what they are."
    );
    describe_gauge!(
        "feeway_store_breach",
        "1 while this setting of Redis puts accepted payments at risk."
    );
    describe_gauge!(
        "feeway_redis_memory_used_bytes",
        "Memory of Redis that counts towards its limit."
    );
    describe_gauge!(
        "feeway_redis_memory_limit_bytes",
        "The maxmemory of Redis; 0 means no limit."
    );
}

pub(crate) fn observe(store: &RedisStore) {
    let flag = |holds| if holds { 1.0 } else { 0.0 };
    for cause in Cause::ALL {
        let is_on = store.redis().standstill().has(cause);
        gauge!("feeway_not_accepting", "cause" => cause.as_str()).set(flag(is_on));
    }
    gauge!("feeway_store_barrier_open").set(flag(store.redis().is_open()));
    counter!("feeway_store_unrepeatable_total").absolute(store.redis().unrepeatable());
    let breaches = store.redis().breaches();
    for label in Breach::LABELS {
        let is_there = breaches.iter().any(|breach| breach.label() == label);
        gauge!("feeway_store_breach", "setting" => label).set(flag(is_there));
    }
    if let Some(memory) = store.redis().memory() {
        gauge!("feeway_redis_memory_used_bytes").set(memory.used as f64);
        gauge!("feeway_redis_memory_limit_bytes").set(memory.limit as f64);
    }
}
