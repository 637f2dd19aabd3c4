use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::http::Connection;
use crate::stack::{new_id, payment};

/// Clients that each keep one connection; together they send the rate that is asked for.
const CLIENTS: u32 = 20;

/// An even stream of payments over kept connections, as from a shop's own servers.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Sent>>,
}

/// What became of the payments.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) accepted: i64,
    pub(crate) failed: Vec<String>,
    /// From a request's first byte to its answer, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Starts to send so many payments a second.
    pub(crate) fn start(port: u16, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let pause = Duration::from_secs(1) * CLIENTS / per_second;
        let clients = (0..CLIENTS)
            .map(|client| {
                let stop = Arc::clone(&stop);
                let first = pause * client / CLIENTS;
                thread::spawn(move || send(port, first, pause, &stop))
            })
            .collect();
        Self { stop, clients }
    }

    /// Stops, and says what became of all that was sent.
    pub(crate) fn end(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Sent::default();
        for client in self.clients {
            let sent = client.join().expect("a client does not panic");
            all.accepted += sent.accepted;
            all.failed.extend(sent.failed);
            all.latencies.extend(sent.latencies);
        }
        all.latencies.sort_unstable();
        all
    }
}

fn send(port: u16, first: Duration, pause: Duration, stop: &AtomicBool) -> Sent {
    let begin = SystemTime::now();
    let mut sent = Sent::default();
    let mut connection = Connection::open(port);
    let mut due = first;
    while !stop.load(Ordering::Relaxed) {
        // By the clock and not by the answers: a slow one must not thin out the load.
        let now = begin.elapsed().unwrap_or_default();
        thread::sleep(due.saturating_sub(now));
        due += pause;
        let asked = SystemTime::now();
        let body = payment(&new_id(), "19.90");
        match connection.try_request("POST", "/payments", &body) {
            Ok(answer) if answer.status == 202 => sent.accepted += 1,
            Ok(answer) => sent.failed.push(format!("{answer:?}")),
            Err(error) => {
                sent.failed.push(error.to_string());
                connection = Connection::open(port);
            }
        }
        sent.latencies.push(asked.elapsed().unwrap_or_default());
    }
    sent
}
