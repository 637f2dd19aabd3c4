use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, sleep_until};

use crate::misdelivery::Record;

/// Sends requests on one connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// Connections that are not in use, until they have rested too long or are too many: then the
/// oldest is closed.
pub(crate) struct Shelf {
    rest_max: Duration,
    len_max: usize,
    content: Mutex<Content>,
}

/// Sorted by age: the oldest is at the bottom.
#[derive(Default)]
struct Content {
    stack: VecDeque<Resting>,
    /// Whether a task is there that closes those that grow too old.
    is_reaped: bool,
}

struct Resting {
    sender: Sender,
    record: Arc<Record>,
    since: Instant,
}

impl Shelf {
    pub(crate) fn new(rest_max: Duration, len_max: usize) -> Self {
        Self {
            rest_max,
            len_max,
            content: Mutex::default(),
        }
    }

    /// Puts a connection on top.
    pub(crate) fn put(self: &Arc<Self>, sender: Sender, record: Arc<Record>) {
        let since = Instant::now();
        let mut content = self.content();
        if content.stack.len() >= self.len_max {
            content.stack.pop_front();
        }
        content.stack.push_back(Resting {
            sender,
            record,
            since,
        });
        if !content.is_reaped {
            content.is_reaped = true;
            tokio::spawn(reap(Arc::downgrade(self), since + self.rest_max));
        }
    }

    /// The connection used last that is still open.
    pub(crate) fn take(&self) -> Option<(Sender, Arc<Record>)> {
        let mut content = self.content();
        while let Some(Resting {
            sender,
            record,
            since,
        }) = content.stack.pop_back()
        {
            if since.elapsed() >= self.rest_max {
                // All below it are older still.
                content.stack.clear();
                return None;
            }
            // One that is open but not ready has more to read than it should: drop it.
            if sender.is_ready() && !sender.is_closed() {
                return Some((sender, record));
            }
        }
        None
    }

    /// Moves everything to the top of another shelf.
    pub(crate) fn move_to(&self, other: &Arc<Self>) {
        let all = std::mem::take(&mut self.content().stack);
        for Resting { sender, record, .. } in all {
            other.put(sender, record);
        }
    }

    /// Closes the connections that were not used for too long. Says when the next one will
    /// be due; nothing when none is left.
    fn close_old(&self) -> Option<Instant> {
        let mut content = self.content();
        let now = Instant::now();
        let old = content
            .stack
            .partition_point(|connection| connection.since + self.rest_max <= now);
        content.stack.drain(..old);
        let next = content.stack.front().map(|oldest| oldest.since);
        content.is_reaped = next.is_some();
        next.map(|since| since + self.rest_max)
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        // Nothing panics while holding it, and a stack is whole after every step.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs while connections rest, so that a quiet processor costs no timer at all.
async fn reap(shelf: Weak<Shelf>, mut due: Instant) {
    loop {
        sleep_until(due).await;
        let Some(shelf) = shelf.upgrade() else {
            return;
        };
        match shelf.close_old() {
            Some(next) => due = next,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1::handshake;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio::time::{advance, timeout};

    use super::*;
    use crate::misdelivery::Misdelivery;

    const REST_MAX: Duration = Duration::from_secs(5);

    /// A connection, and the server's end of it.
    async fn connection() -> (Sender, Arc<Record>, DuplexStream) {
        let (ours, theirs) = duplex(64);
        let (mut sender, connection) = handshake(TokioIo::new(ours)).await.unwrap();
        tokio::spawn(connection);
        sender.ready().await.unwrap();
        let misdelivery = Arc::new(Misdelivery::new("http://a".to_owned()));
        (
            sender,
            Arc::new(Record::new(&misdelivery, Duration::from_secs(60))),
            theirs,
        )
    }

    async fn is_closed(theirs: &mut DuplexStream) -> bool {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(1), theirs.read(&mut byte)).await;
        matches!(read, Ok(Ok(0)))
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_closed_when_there_are_too_many() {
        let shelf = Arc::new(Shelf::new(REST_MAX, 2));
        let mut ends = Vec::new();
        for _ in 0..3 {
            let (sender, record, theirs) = connection().await;
            shelf.put(sender, record);
            ends.push(theirs);
        }
        assert!(is_closed(&mut ends[0]).await);
        assert!(!is_closed(&mut ends[1]).await && !is_closed(&mut ends[2]).await);
        drop(shelf.take().unwrap());
        assert!(is_closed(&mut ends[2]).await && !is_closed(&mut ends[1]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_closed_when_it_has_rested_too_long() {
        let shelf = Arc::new(Shelf::new(REST_MAX, 9));
        let (sender, record, mut first) = connection().await;
        shelf.put(sender, record);
        advance(REST_MAX / 2).await;
        let (sender, record, mut second) = connection().await;
        shelf.put(sender, record);
        assert!(!is_closed(&mut first).await);
        advance(REST_MAX / 2).await;
        assert!(is_closed(&mut first).await && !is_closed(&mut second).await);
        advance(REST_MAX / 2).await;
        assert!(is_closed(&mut second).await);
        assert!(shelf.take().is_none());
        // The task that closes them starts anew.
        let (sender, record, mut third) = connection().await;
        shelf.put(sender, record);
        advance(REST_MAX).await;
        assert!(is_closed(&mut third).await);
    }

    #[tokio::test(start_paused = true)]
    async fn connections_may_go_to_another_shelf() {
        let [from, to] = [(); 2].map(|()| Arc::new(Shelf::new(REST_MAX, 9)));
        let (sender, record, mut theirs) = connection().await;
        from.put(sender, record);
        from.move_to(&to);
        assert!(from.take().is_none());
        assert!(!is_closed(&mut theirs).await);
        advance(REST_MAX).await;
        assert!(is_closed(&mut theirs).await);
    }
}
