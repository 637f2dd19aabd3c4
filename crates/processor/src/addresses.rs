use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a name's addresses are used without another look.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// Addresses that nobody answers at are looked up again, but not sooner than this.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// Where a processor is, by its name. Each look takes a thread while it lasts, and hundreds of
/// connections may be opened at the same moment: they share one look.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<Option<Known>>);

#[derive(Clone)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    looked_at: Instant,
    refused: bool,
}

impl Addresses {
    /// Connects to the first address of the name that answers.
    ///
    /// Cancel safe: what it was about to find is looked up again by the next one.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let look = async || Ok(lookup_host((host, port)).await?.collect());
        let addresses = self.find(look).await?;
        let connected = TcpStream::connect(&*addresses).await;
        if connected.is_err() {
            self.refuse(&addresses).await;
        }
        connected
    }

    async fn find(
        &self,
        look: impl AsyncFnOnce() -> io::Result<Vec<SocketAddr>>,
    ) -> io::Result<Arc<[SocketAddr]>> {
        // Held while looking: whoever comes meanwhile waits for the same answer.
        let mut known = self.0.lock().await;
        if let Some(known) = &*known
            && known.is_fresh()
        {
            return Ok(Arc::clone(&known.addresses));
        }
        let addresses: Arc<[SocketAddr]> = match (look().await, &*known) {
            (Ok(found), _) => found.into(),
            // Names that cannot be looked up now have most likely not changed.
            (Err(_), Some(known)) => Arc::clone(&known.addresses),
            (Err(error), None) => return Err(error),
        };
        *known = Some(Known {
            addresses: Arc::clone(&addresses),
            looked_at: Instant::now(),
            refused: false,
        });
        Ok(addresses)
    }

    /// Nobody answers there; perhaps the name has moved.
    async fn refuse(&self, addresses: &Arc<[SocketAddr]>) {
        if let Some(known) = &mut *self.0.lock().await
            && Arc::ptr_eq(&known.addresses, addresses)
        {
            known.refused = true;
        }
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        let fresh_for = if self.refused { STALE_AFTER } else { FRESH_FOR };
        self.looked_at.elapsed() < fresh_for
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use tokio::time::{advance, sleep};

    use super::*;

    /// Finds another port at each look.
    #[derive(Default)]
    struct Looks(AtomicU16);

    impl Looks {
        async fn look(&self) -> io::Result<Vec<SocketAddr>> {
            sleep(Duration::from_millis(10)).await;
            let port = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        }

        async fn find(&self, addresses: &Addresses) -> Arc<[SocketAddr]> {
            addresses.find(async || self.look().await).await.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connections_opened_together_share_one_look() {
        let (addresses, looks) = (Addresses::default(), Looks::default());
        let (one, other) = tokio::join!(looks.find(&addresses), looks.find(&addresses));
        assert_eq!((one[0].port(), other[0].port()), (1, 1));
        advance(FRESH_FOR).await;
        assert_eq!(looks.find(&addresses).await[0].port(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_has_moved_is_found_again_soon_but_not_looked_for_at_each_attempt() {
        let (addresses, looks) = (Addresses::default(), Looks::default());
        let first = looks.find(&addresses).await;
        addresses.refuse(&first).await;
        assert_eq!(looks.find(&addresses).await[0].port(), 1);
        advance(STALE_AFTER).await;
        let second = looks.find(&addresses).await;
        assert_eq!(second[0].port(), 2);
        // The failure of an attempt at the old address says nothing of the new one.
        addresses.refuse(&first).await;
        advance(STALE_AFTER).await;
        assert_eq!(looks.find(&addresses).await[0].port(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_last_is_used_while_names_cannot_be_looked_up() {
        let (addresses, looks) = (Addresses::default(), Looks::default());
        let fail = async || Err(io::Error::other("no name server"));
        addresses.find(fail).await.unwrap_err();
        looks.find(&addresses).await;
        advance(FRESH_FOR).await;
        let found = addresses.find(fail).await.unwrap();
        assert_eq!(found[0].port(), 1);
    }
}
