use std::time::Duration;

use anyhow::{Context, bail};
use feeway_domain::{ProcessorName, Store, StoreFault};
use feeway_store::{RedisConfig, RedisStore};
use tokio::time::{sleep, timeout};

use crate::check::Rating;
use crate::{Check, Options, Report};

/// How long Redis may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Before the step is made again.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of `--vouch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vouched {
    pub(crate) name: ProcessorName,
    /// Why it was not done.
    pub(crate) refused: Option<String>,
}

/// Lets fronts believe the look-up, if that is asked for and the report allows it.
///
/// # Errors
/// When Redis does not answer, or holds what this release does not know.
pub(crate) async fn vouch(options: &Options, report: &Report) -> anyhow::Result<Option<Vouched>> {
    let (Some(name), Some(redis)) = (&options.vouch, &options.redis) else {
        return Ok(None);
    };
    let refused = objection(report);
    if refused.is_none() {
        trust(redis.config(), name, &options.url).await?;
    }
    Ok(Some(Vouched {
        name: name.clone(),
        refused,
    }))
}

/// What speaks against the look-up.
fn objection(report: &Report) -> Option<String> {
    let objections = Check::OF_THE_LOOK_UP.iter().filter_map(|check| {
        let finding = report
            .findings
            .iter()
            .find(|finding| finding.check == *check);
        match finding.map_or(Rating::CannotTell, |finding| finding.rating) {
            Rating::Fits | Rating::Tolerated => None,
            rating @ (Rating::Differs | Rating::CannotTell) => Some(format!("{check} {rating}")),
        }
    });
    let objections: Vec<_> = objections.collect();
    (!objections.is_empty()).then(|| objections.join(", "))
}

async fn trust(config: RedisConfig, name: &ProcessorName, url: &str) -> anyhow::Result<()> {
    let shown = config.url.to_string();
    let store = RedisStore::new(config);
    let trusting = async {
        store.redis().ready().await?;
        loop {
            match store.trust_look_up(name, url, true).await {
                Ok(()) => return anyhow::Ok(()),
                // The step is the same however often it is made.
                Err(StoreFault::Away | StoreFault::Closed | StoreFault::Unknown) => {
                    sleep(PAUSE).await;
                }
                Err(StoreFault::Full) => bail!("it is full"),
            }
        }
    };
    match timeout(PATIENCE, trusting).await {
        Ok(done) => done.with_context(|| format!("Redis at {shown}")),
        Err(_elapsed) => match store.redis().trouble() {
            Some(trouble) if trouble.answers => bail!("Redis at {shown}: {}", trouble.why),
            Some(trouble) => bail!("cannot connect to Redis at {shown}: {}", trouble.why),
            None => bail!("cannot connect to Redis at {shown}"),
        },
    }
}
