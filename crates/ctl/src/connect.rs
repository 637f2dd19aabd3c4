use std::time::Duration;

use anyhow::{Context, bail};
use feeway_store::{RedisConfig, RedisStore};
use tokio::time::{sleep, timeout};

/// How long Redis may take to be there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks whether both its connections are there.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until Redis is there, with our functions and data that we know.
pub(crate) async fn connect(config: RedisConfig) -> anyhow::Result<RedisStore> {
    let shown = config.url.to_string();
    let store = RedisStore::new(config);
    let there = async {
        store.ready().await?;
        while !store.is_up() {
            sleep(LOOK).await;
        }
        anyhow::Ok(())
    };
    match timeout(PATIENCE, there).await {
        Ok(ready) => ready.with_context(|| format!("redis at {shown}"))?,
        Err(_elapsed) => match store.trouble() {
            Some(trouble) if trouble.answers => bail!("redis at {shown}: {}", trouble.why),
            Some(trouble) => bail!("no redis answers at {shown}: {}", trouble.why),
            None => bail!("no redis answers at {shown}"),
        },
    }
    Ok(store)
}
