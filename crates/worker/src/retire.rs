//! Has the store forget what is older than the retention, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{ProcessorClient, Retire, Store, StoreFault};

use crate::context::Context;

/// Between two looks for something old. The books close by whole hours, so a minute later
/// is soon enough.
const PERIOD: Duration = Duration::from_secs(60);

/// Between two steps while there is more: intake has the store to itself for most of the
/// time, and 200 payments in each step are still 20 000 a second and front.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs until the worker ends. Every front does it: nobody has to be chosen, and the steps
/// of several come out as those of one.
pub(crate) async fn retire_for_ever<S: Store, C: ProcessorClient>(context: Arc<Context<S, C>>) {
    loop {
        let pause = match context.store.retire().await {
            Ok(Retire::More) => PAUSE,
            Ok(Retire::Done)
            | Err(StoreFault::Away | StoreFault::Full | StoreFault::Closed | StoreFault::Unknown) => {
                PERIOD
            }
        };
        tokio::time::sleep(pause).await;
    }
}
