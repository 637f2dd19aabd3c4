//! The ways to deal payments to lanes that the dispatcher bench compares.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Payments in one lane's channel; a shared channel has as many for each lane.
const CHANNEL: usize = 64;

/// A way to deal payments to lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// A channel for each lane, filled in turn.
    RoundRobin,
    /// One channel behind a mutex, from which every lane takes.
    SharedPool,
    /// One queue with many consumers (`async-channel`).
    ManyConsumers,
    /// A channel for each lane; of two lanes taken at random the one with less in hand.
    TwoChoices,
}

/// All designs, the original's two first.
pub const DESIGNS: [Design; 4] = [
    Design::RoundRobin,
    Design::SharedPool,
    Design::ManyConsumers,
    Design::TwoChoices,
];

/// How long a processor takes for the payment of this number, in this lane.
pub type Service = fn(number: usize, lane: usize) -> Duration;

/// One run of a design.
#[derive(Clone, Copy)]
pub struct Run {
    /// How payments are dealt.
    pub design: Design,
    /// To how many lanes.
    pub lanes: usize,
    /// Attempts in flight per lane: 1 is a lane that waits for each answer.
    pub in_flight: usize,
    /// How long each takes.
    pub service: Service,
    /// How many payments.
    pub payments: usize,
    /// Between two arrivals; zero deals as fast as the lanes take them.
    pub gap: Duration,
}

#[derive(Clone, Copy)]
struct Dealt {
    number: usize,
    at: Instant,
}

enum Sender {
    Each(Vec<mpsc::Sender<Dealt>>),
    One(mpsc::Sender<Dealt>),
    Many(async_channel::Sender<Dealt>),
}

enum Receiver {
    Own(mpsc::Receiver<Dealt>),
    Shared(Arc<Mutex<mpsc::Receiver<Dealt>>>),
    Many(async_channel::Receiver<Dealt>),
}

impl Receiver {
    async fn recv(&mut self) -> Option<Dealt> {
        match self {
            Self::Own(receiver) => receiver.recv().await,
            Self::Shared(receiver) => receiver.lock().await.recv().await,
            Self::Many(receiver) => receiver.recv().await.ok(),
        }
    }
}

fn channels(design: Design, lanes: usize) -> (Sender, Vec<Receiver>) {
    match design {
        Design::RoundRobin | Design::TwoChoices => {
            let (senders, receivers) = (0..lanes)
                .map(|_| mpsc::channel(CHANNEL))
                .map(|(sender, receiver)| (sender, Receiver::Own(receiver)))
                .unzip();
            (Sender::Each(senders), receivers)
        }
        Design::SharedPool => {
            let (sender, receiver) = mpsc::channel(lanes * CHANNEL);
            let receiver = Arc::new(Mutex::new(receiver));
            let receivers = (0..lanes)
                .map(|_| Receiver::Shared(Arc::clone(&receiver)))
                .collect();
            (Sender::One(sender), receivers)
        }
        Design::ManyConsumers => {
            let (sender, receiver) = async_channel::bounded(lanes * CHANNEL);
            let receivers = (0..lanes)
                .map(|_| Receiver::Many(receiver.clone()))
                .collect();
            (Sender::Many(sender), receivers)
        }
    }
}

/// Deals all payments of a run and serves them. Returns how long each waited between being
/// dealt and being started, in order of starting per lane.
pub async fn run(run: Run) -> Vec<Duration> {
    let (sender, receivers) = channels(run.design, run.lanes);
    let loads: Arc<Vec<AtomicUsize>> = Arc::new((0..run.lanes).map(|_| 0.into()).collect());
    let mut lanes = JoinSet::new();
    for (lane, receiver) in receivers.into_iter().enumerate() {
        lanes.spawn(serve(run, lane, receiver, Arc::clone(&loads)));
    }
    let mut rng = fastrand::Rng::with_seed(7);
    let start = Instant::now();
    for number in 0..run.payments {
        if !run.gap.is_zero() {
            let due = start + run.gap * u32::try_from(number).expect("a bench is short");
            tokio::time::sleep_until(due).await;
        }
        let dealt = Dealt {
            number,
            at: Instant::now(),
        };
        deal(&sender, run, dealt, &loads, &mut rng).await;
    }
    drop(sender);
    lanes.join_all().await.into_iter().flatten().collect()
}

async fn deal(
    sender: &Sender,
    run: Run,
    dealt: Dealt,
    loads: &[AtomicUsize],
    rng: &mut fastrand::Rng,
) {
    let sent = match sender {
        Sender::One(sender) => sender.send(dealt).await.is_ok(),
        Sender::Many(sender) => sender.send(dealt).await.is_ok(),
        Sender::Each(senders) => {
            let lane = if run.design == Design::TwoChoices {
                let (one, other) = (rng.usize(..run.lanes), rng.usize(..run.lanes));
                let load = |lane: usize| loads[lane].load(Ordering::Relaxed);
                if load(one) <= load(other) { one } else { other }
            } else {
                dealt.number % run.lanes
            };
            loads[lane].fetch_add(1, Ordering::Relaxed);
            senders[lane].send(dealt).await.is_ok()
        }
    };
    assert!(sent, "the lanes outlive the dispatcher");
}

async fn serve(
    run: Run,
    lane: usize,
    mut receiver: Receiver,
    loads: Arc<Vec<AtomicUsize>>,
) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut attempts = FuturesUnordered::new();
    let mut open = true;
    while open || !attempts.is_empty() {
        tokio::select! {
            biased;
            Some(()) = attempts.next(), if !attempts.is_empty() => {
                loads[lane].fetch_sub(1.min(loads[lane].load(Ordering::Relaxed)), Ordering::Relaxed);
            }
            dealt = receiver.recv(), if open && attempts.len() < run.in_flight => match dealt {
                None => open = false,
                Some(dealt) => {
                    waits.push(dealt.at.elapsed());
                    let service = (run.service)(dealt.number, lane);
                    attempts.push(async move {
                        if !service.is_zero() {
                            tokio::time::sleep(service).await;
                        }
                    });
                }
            },
        }
    }
    waits
}
