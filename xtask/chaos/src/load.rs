//! Clients at a steady rate. They do what the contract asks of a client, and no more: after
//! a 503, a broken connection or a time-out they send the same id and amount again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use feeway_machine::clock::{self, Deadline};
use feeway_machine::http_client::{Answer, Client, request};
use feeway_machine::readiness::Address;

use super::register::{Register, Setback};
use super::traffic::{Ticket, Traffic};

/// Each client has two kept connections, the second one for posts of the same moment.
const CLIENTS: u64 = 16;

/// Longer than HAProxy tries: 3 s at each of two fronts, and once more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two posts of the same payment.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// How long a client tries before it counts a payment as failed for good: longer than any
/// fault of ours, several in a row included.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);

/// A sleep is cut into such pieces, to see in time that the load is to end.
const LONGEST_NAP: Duration = Duration::from_millis(100);

/// Running clients. They end when told to, or when this is dropped.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    register: Arc<Register>,
    traffic: Traffic,
    address: Address,
    rate: u64,
    /// Tickets from here on are not for sale.
    end: u64,
    begin: Instant,
    next: AtomicU64,
    stop: AtomicBool,
}

/// What to send, and where.
pub(super) struct LoadPlan {
    pub(super) traffic: Traffic,
    pub(super) address: Address,
    /// Tickets a second.
    pub(super) rate: u64,
    /// From this ticket to before that one.
    pub(super) tickets: std::ops::Range<u64>,
}

impl Load {
    /// Begins to send.
    pub(super) fn start(plan: LoadPlan, register: &Arc<Register>) -> Result<Self> {
        // Tickets are due since the first one would have been.
        let shared = Arc::new(Shared {
            register: Arc::clone(register),
            traffic: plan.traffic,
            address: plan.address,
            rate: plan.rate,
            end: plan.tickets.end,
            begin: clock::now(),
            next: AtomicU64::new(plan.tickets.start),
            stop: AtomicBool::new(false),
        });
        let first = plan.tickets.start;
        let clients = (0..CLIENTS)
            .map(|number| {
                let shared = Arc::clone(&shared);
                thread::Builder::new()
                    .name(format!("client-{number}"))
                    .spawn(move || OneClient::new(&shared).run(first))
                    .context("cannot start a thread")
            })
            .collect::<Result<_>>()?;
        Ok(Self { shared, clients })
    }

    /// Sells no more tickets. Payments in hand are still seen through.
    pub(super) fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until every ticket is sold and every client has seen its payment through.
    pub(super) fn join(mut self) -> Result<()> {
        for client in std::mem::take(&mut self.clients) {
            if client.join().is_err() {
                bail!("a client panicked");
            }
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

struct OneClient<'a> {
    shared: &'a Shared,
    first: Client,
    second: Client,
}

impl<'a> OneClient<'a> {
    fn new(shared: &'a Shared) -> Self {
        let client = || Client::new(shared.address.clone(), ANSWER_TIMEOUT);
        Self {
            shared,
            first: client(),
            second: client(),
        }
    }

    fn run(mut self, first_ticket: u64) {
        loop {
            let ticket = self.shared.next.fetch_add(1, Ordering::Relaxed);
            if ticket >= self.shared.end || !self.await_turn(ticket - first_ticket) {
                return;
            }
            match self.shared.traffic.ticket(ticket) {
                Ticket::New => self.pay(ticket),
                Ticket::Again(earlier) => self.pay(earlier),
                Ticket::Twin => self.pay_twice(ticket),
            }
        }
    }

    /// Sleeps until the ticket is due. Returns false when the load is to end first.
    fn await_turn(&self, place: u64) -> bool {
        let due = Duration::from_nanos(place * 1_000_000_000 / self.shared.rate);
        loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                return false;
            }
            let rest = due.saturating_sub(self.shared.begin.elapsed());
            if rest.is_zero() {
                return true;
            }
            thread::sleep(rest.min(LONGEST_NAP));
        }
    }

    /// Posts a payment until it is accepted.
    fn pay(&mut self, number: u64) {
        self.shared.register.posting(number);
        let wire = self.wire(number);
        let deadline = Deadline::after(GIVE_UP_AFTER);
        loop {
            let sent = clock::now();
            let answer = self.first.ask(&wire);
            if self.is_over(number, sent, answer) {
                return;
            }
            if deadline.passed() {
                return self.shared.register.given_up(number);
            }
            thread::sleep(RETRY_PAUSE);
        }
    }

    /// Posts a payment over two connections before either is answered.
    fn pay_twice(&mut self, number: u64) {
        self.shared.register.posting(number);
        let wire = self.wire(number);
        let sent = clock::now();
        let both = [self.first.send(&wire), self.second.send(&wire)];
        let clients = [&mut self.first, &mut self.second];
        let answers: Vec<_> = both
            .into_iter()
            .zip(clients)
            .map(|(written, client)| written.and_then(|()| client.receive()))
            .collect();
        let mut unanswered = false;
        for answer in answers {
            unanswered |= !self.is_over(number, sent, answer);
        }
        if unanswered {
            thread::sleep(RETRY_PAUSE);
            self.pay(number);
        }
    }

    fn wire(&self, number: u64) -> Vec<u8> {
        let body = self.shared.traffic.payment(number).body();
        request(
            "POST",
            "/payments",
            "Content-Type: application/json\r\n",
            &body,
        )
    }

    /// Notes an answer. Returns false when the contract asks the client to send again.
    fn is_over(&self, number: u64, sent: Instant, answer: io::Result<Answer>) -> bool {
        let register = &self.shared.register;
        match answer {
            Ok(answer) if answer.status == 202 => {
                register.accepted(number, sent.elapsed());
                return true;
            }
            // HAProxy says 502 and 504 of a front; a payment may or may not have been kept.
            Ok(answer) if matches!(answer.status, 502..=504) => {
                register.set_back(Setback::Status(answer.status));
            }
            Ok(answer) => {
                let id = self.shared.traffic.payment(number).id;
                register.set_back(Setback::Status(answer.status));
                register.finding(format!(
                    "POST of {id} was answered with {}: {}",
                    answer.status,
                    answer.text()
                ));
                register.given_up(number);
                return true;
            }
            Err(error) => register.set_back(setback(error.kind())),
        }
        false
    }
}

fn setback(kind: io::ErrorKind) -> Setback {
    if kind == io::ErrorKind::ConnectionRefused {
        Setback::Refused
    } else if matches!(kind, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
        Setback::TimedOut
    } else {
        Setback::Broken
    }
}
