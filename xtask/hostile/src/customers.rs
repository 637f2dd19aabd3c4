//! Normal clients at an even pace.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use feeway_machine::clock;
use feeway_machine::http_client::{Client, request};
use feeway_machine::readiness::Address;

const CLIENTS: u64 = 4;

/// Longer than HAProxy takes to give up on a front.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What normal clients felt in one phase.
#[derive(Debug, Default)]
pub(super) struct Felt {
    micros: Vec<u64>,
    pub(super) failed: u64,
}

impl Felt {
    /// The time within which 99 of 100 were answered.
    pub(super) fn p99_ms(&self) -> f64 {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 99).div_ceil(100);
        let micros = sorted.get(rank.max(1) - 1).copied();
        micros.unwrap_or(u64::MAX) as f64 / 1000.0
    }
}

/// Posts payments for so long, each with a new id, at so many a second.
pub(super) fn measure(door: &Address, rate: u64, length: Duration) -> Result<Felt> {
    let pause = Duration::from_secs_f64(CLIENTS as f64 / rate as f64);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let door = door.clone();
            thread::spawn(move || one_client(door, pause, length))
        })
        .collect();
    let mut felt = Felt::default();
    for client in clients {
        let Ok(part) = client.join() else {
            bail!("a client panicked");
        };
        felt.micros.extend(part.micros);
        felt.failed += part.failed;
    }
    Ok(felt)
}

fn one_client(door: Address, pause: Duration, length: Duration) -> Felt {
    let mut client = Client::new(door, ANSWER_TIMEOUT);
    let mut felt = Felt::default();
    let begin = clock::now();
    let mut due = begin;
    while begin.elapsed() < length {
        let id = fastrand::u128(..);
        let body = format!(
            r#"{{"correlationId":"{:08x}-{:04x}-4000-8000-{:012x}","amount":19.90}}"#,
            id as u32,
            (id >> 32) as u16,
            (id >> 64) as u64 & 0xffff_ffff_ffff
        );
        let wire = request("POST", "/payments", "", &body);
        let early = due.saturating_duration_since(clock::now());
        thread::sleep(early);
        // Who waited behind a slow answer has waited since its turn came.
        let sent = if early.is_zero() { due } else { clock::now() };
        match client.ask(&wire) {
            Ok(answer) if answer.status == 202 => {
                let micros = sent.elapsed().as_micros();
                felt.micros.push(u64::try_from(micros).unwrap_or(u64::MAX));
            }
            Ok(_) | Err(_) => felt.failed += 1,
        }
        due += pause;
    }
    felt
}
