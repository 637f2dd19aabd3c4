//! Store steps that are repeated while the store does not answer.

use std::time::Duration;

use feeway_domain::StoreFault;
use tokio::time::{Instant, sleep};

/// How long to go on when Redis does not answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const PAUSE: Duration = Duration::from_millis(300);

/// Repeats a step that may be carried out twice until it is answered, for [`PATIENCE`].
pub(crate) async fn patiently<T, F>(mut step: impl FnMut() -> F) -> Result<T, StoreFault>
where
    F: Future<Output = Result<T, StoreFault>>,
{
    let give_up = Instant::now() + PATIENCE;
    loop {
        match step().await {
            Ok(value) => return Ok(value),
            Err(fault) if Instant::now() > give_up => return Err(fault),
            Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                sleep(PAUSE).await
            }
        }
    }
}
