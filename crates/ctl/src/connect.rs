use std::time::Duration;

use anyhow::{Context, bail};
use feeway_domain::LAPSE;
use feeway_store::{RedisConfig, RedisStore};
use tokio::time::{sleep, timeout};

/// How long Redis may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks whether both its connections are there.
const LOOK: Duration = Duration::from_millis(5);

/// How long fronts may take to repeat what a Redis that was restarted may have forgotten: those
/// that say nothing for a lapse are not waited for.
const MEMORY: Duration = LAPSE.saturating_add(Duration::from_secs(2));

/// After this somebody should be told what is waited for.
const UNNOTICED: Duration = Duration::from_millis(500);

/// Waits until Redis is there, with our functions and data that we know, and has what fronts may
/// have to repeat to it.
pub(crate) async fn connect(config: RedisConfig) -> anyhow::Result<RedisStore> {
    let shown = config.url.to_string();
    let store = RedisStore::new(config);
    let there = async {
        store.redis().ready().await?;
        while !store.redis().is_up() {
            sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    match timeout(PATIENCE, there).await {
        Ok(ready) => ready.with_context(|| format!("Redis at {shown}"))?,
        Err(_elapsed) => match store.redis().trouble() {
            Some(trouble) if trouble.answers => bail!("Redis at {shown}: {}", trouble.why),
            Some(trouble) => bail!("cannot connect to Redis at {shown}: {}", trouble.why),
            None => bail!("cannot connect to Redis at {shown}"),
        },
    }
    remembers(&store).await;
    Ok(store)
}

/// If it still waits after that, or does not answer, whatever is asked of it says so.
async fn remembers(store: &RedisStore) {
    let mut opened = std::pin::pin!(timeout(MEMORY, store.redis().asked_until_open()));
    if timeout(UNNOTICED, &mut opened).await.is_err() {
        eprintln!(
            "Redis was restarted: waiting for the fronts to repeat what it may have forgotten"
        );
        drop(opened.await);
    }
}
