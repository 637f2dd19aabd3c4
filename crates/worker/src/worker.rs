use std::sync::Arc;
use std::time::Duration;

use feeway_domain::{ProcessorClient, Store};
use feeway_health::Board;
use feeway_jobs::bounds::IN_HAND;
use feeway_jobs::dispatcher::Dispatcher;
use feeway_jobs::registry::Registry;
use feeway_jobs::sabotage::Sabotage;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::answered::journal_for_ever;
use crate::context::Context;
use crate::hands::Hands;
use crate::heartbeat::beat_for_ever;
use crate::lane::Lane;
use crate::look_ups::recall_for_ever;
use crate::misdelivery::check_for_ever;
use crate::recheck::recheck_for_ever;
use crate::retire::retire_for_ever;
use crate::{Gateway, WorkerConfig};

/// How long a front that goes waits until the store can forget nothing that only it knows: 3 s
/// after the last acknowledged write it cannot.
const LASTING_WAIT: Duration = Duration::from_secs(4);
const LASTING_LOOK: Duration = Duration::from_millis(50);

/// A running worker. Dropping it ends all its tasks where they stand, as a crash would:
/// the journal has what they had in hand.
pub struct Worker<S: Store, C: ProcessorClient> {
    context: Arc<Context<S, C>>,
    lanes: mpsc::Receiver<()>,
}

/// Starts a worker. The clients stand in the order of the board's ranks. It needs no
/// store to start: until there is one, nothing is kept.
pub fn start<S: Store, C: ProcessorClient>(
    config: WorkerConfig,
    store: S,
    clients: Vec<C>,
    board: Arc<Board>,
) -> Worker<S, C> {
    let (dispatcher, inboxes) = Dispatcher::new(config.dispatch);
    let registry = Registry::new(IN_HAND);
    let context = Context::new(config, store, clients, board, registry, dispatcher);
    let context = Arc::new(context);
    context.store.write_back_from(Hands::of(&context));
    let (alive, lanes) = mpsc::channel(1);
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let lane = Lane::new(&context, index, inbox, alive.clone());
        context.tasks.spawn(lane.run());
    }
    context.tasks.spawn({
        let context = Arc::clone(&context);
        async move { context.linger.send_for_ever().await }
    });
    context.tasks.spawn(journal_for_ever(Arc::clone(&context)));
    context.tasks.spawn(beat_for_ever(Arc::clone(&context)));
    context.tasks.spawn(retire_for_ever(Arc::clone(&context)));
    context.tasks.spawn(recall_for_ever(Arc::clone(&context)));
    context.tasks.spawn(recheck_for_ever(Arc::clone(&context)));
    for rank in context.board.ranks() {
        context
            .tasks
            .spawn(check_for_ever(Arc::clone(&context), rank));
    }
    Worker { context, lanes }
}

impl<S: Store, C: ProcessorClient> Worker<S, C> {
    /// Where payments come in.
    pub fn gateway(&self) -> Gateway<S, C> {
        Gateway(Arc::clone(&self.context))
    }

    /// Takes nothing new, lets the attempts in flight end for at most `limit`, and leaves
    /// the rest in the journal for others to adopt at once.
    pub async fn drain(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        self.context.draining.send_replace(true);
        // Nothing is ever sent: it ends when the last lane has.
        if tokio::time::timeout_at(deadline, self.lanes.recv())
            .await
            .is_err()
        {
            tracing::warn!("attempts were still in flight; their payments stay in the journal");
        }
        // What was promised in memory has to be in the journal before we go.
        let answered = &self.context.answered;
        let none_left = tokio::time::timeout_at(deadline, answered.none_left());
        if none_left.await.is_err() {
            tracing::error!(
                lost = answered.count(),
                "payments that were answered with 202 are not in the journal"
            );
        }
        if !Sabotage::LeaveAtOnce.is_on() {
            self.until_lasting().await;
        }
        // The heartbeat must not speak up again after the resignation.
        self.context.tasks.abort();
        for tenure in self.context.tenures.all() {
            if let Err(error) = self.context.store.resign(&tenure.hold).await {
                tracing::warn!(%error, "could not sign off from the journal: other fronts take over the open payments of this one after 5 s");
                return;
            }
        }
    }
}

impl<S: Store, C: ProcessorClient> Worker<S, C> {
    /// Stays until the store can forget nothing that it has acknowledged to us: nobody waits for
    /// whoever has resigned. Should it be killed before that, it is all repeated.
    async fn until_lasting(&self) {
        let store = &self.context.store;
        let lasting = async {
            while store.forgettable() > 0 {
                tokio::time::sleep(LASTING_LOOK).await;
            }
        };
        if tokio::time::timeout(LASTING_WAIT, lasting).await.is_err() {
            tracing::warn!(
                writes = store.forgettable(),
                "the store does not answer and might forget what it acknowledged last"
            );
        }
    }
}

impl<S: Store, C: ProcessorClient> Drop for Worker<S, C> {
    fn drop(&mut self) {
        self.context.tasks.abort();
    }
}
