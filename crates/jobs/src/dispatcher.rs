use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use feeway_health::Permit;
use tokio::sync::{Mutex, mpsc};

use crate::bounds::{LANE_CHANNEL, LANES};
use crate::job::Job;

/// How payments are dealt to lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// Each lane has a channel of its own, filled in turn.
    RoundRobin,
    /// All lanes take from one channel behind a mutex.
    SharedPool,
}

/// A payment on its way to a lane, with a permit when it may be sent at once.
#[derive(Debug)]
pub struct Dealt {
    /// What is dealt.
    pub job: Job,
    /// What lets it be sent at once.
    pub permit: Option<Permit>,
}

/// Room for one payment in a lane's channel.
pub type Slot = mpsc::OwnedPermit<Dealt>;

/// Deals payments to lanes. It never takes more than the channels hold.
#[derive(Debug)]
pub struct Dispatcher {
    channels: Vec<mpsc::Sender<Dealt>>,
    next: AtomicUsize,
}

/// Where one lane's payments come from.
#[derive(Debug)]
pub enum Inbox {
    /// A channel of its own.
    Own(mpsc::Receiver<Dealt>),
    /// One channel that all lanes share.
    Shared(Arc<Mutex<mpsc::Receiver<Dealt>>>),
}

impl Dispatcher {
    /// A dispatcher, and an inbox for each lane.
    pub fn new(dispatch: Dispatch) -> (Self, Vec<Inbox>) {
        let (channels, inboxes) = match dispatch {
            Dispatch::RoundRobin => (0..LANES)
                .map(|_| mpsc::channel(LANE_CHANNEL))
                .map(|(sender, receiver)| (sender, Inbox::Own(receiver)))
                .unzip(),
            Dispatch::SharedPool => {
                let (sender, receiver) = mpsc::channel(LANES * LANE_CHANNEL);
                let receiver = Arc::new(Mutex::new(receiver));
                let inboxes = (0..LANES)
                    .map(|_| Inbox::Shared(Arc::clone(&receiver)))
                    .collect();
                (vec![sender], inboxes)
            }
        };
        (
            Self {
                channels,
                next: AtomicUsize::new(0),
            },
            inboxes,
        )
    }

    /// How many payments each channel holds.
    pub fn depths(&self) -> impl Iterator<Item = usize> {
        let channels = self.channels.iter();
        channels.map(|channel| channel.max_capacity() - channel.capacity())
    }

    /// Room in the next lane that has some, if any has.
    pub fn reserve(&self) -> Option<Slot> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.channels.len()).find_map(|step| {
            let channel = &self.channels[first.wrapping_add(step) % self.channels.len()];
            channel.clone().try_reserve_owned().ok()
        })
    }

    /// Room in a lane, waiting for it if need be; none when the lanes have ended.
    /// Cancel safe.
    pub async fn room(&self) -> Option<Slot> {
        if let Some(slot) = self.reserve() {
            return Some(slot);
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.channels.len();
        self.channels[next].clone().reserve_owned().await.ok()
    }
}

impl Inbox {
    /// The next payment; none when the dispatcher is gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<Dealt> {
        match self {
            Self::Own(receiver) => receiver.recv().await,
            Self::Shared(receiver) => receiver.lock().await.recv().await,
        }
    }
}
