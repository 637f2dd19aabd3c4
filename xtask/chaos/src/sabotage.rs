//! The audit's own test: of a sound stack one payment is taken out of the journal and another
//! one is charged a second time, both behind Feeway's back. The audit must find these two, and
//! nothing else.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use feeway_machine::clock::Deadline;
use feeway_machine::http_client::{Client, request};
use feeway_machine::readiness::Address;
use feeway_stack::simulators::Switch;

use super::audit::Audit;
use super::register::Register;
use super::settling::await_settled;
use super::simulators::Simulator;
use super::traffic::Payment;
use super::trial::{Acted, Trial};

/// So many tickets are sold while the processors work, and as many while they fail.
const TICKETS: u64 = 200;

/// Fronts notice that the processors fail by the payments that are sent meanwhile.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes an open payment out of the journal unless a processor is named that may have seen it.
const FORGET: &str = "local entry = redis.call('HGET', KEYS[1], ARGV[1]) \
    local owner = entry and string.match(entry, '^([^|]*)||') \
    if not owner then return 0 end \
    redis.call('ZREM', '{0}:queue:' .. owner, ARGV[1]) \
    return redis.call('HDEL', KEYS[1], ARGV[1])";

/// The ids of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sabotage {
    pub(super) lost: String,
    pub(super) twice: String,
}

impl Sabotage {
    /// Whether the audit names these two, and besides them only the summaries that the second
    /// charge makes differ.
    pub(super) fn is_all_of(&self, audit: &Audit, twice_at: &str) -> bool {
        let only = |findings: &[String], id: &str| match findings {
            [finding] => finding.starts_with(id),
            _ => false,
        };
        let of_summary = |finding: &String| {
            finding.starts_with("summary") && finding.contains(&format!(" of {twice_at}: "))
        };
        only(&audit.lost, &self.lost)
            && only(&audit.twice, &self.twice)
            && audit.open.is_empty()
            && !audit.mismatched.is_empty()
            && audit.mismatched.iter().all(of_summary)
    }
}

pub(super) fn run(trial: &Trial) -> Result<Acted> {
    let register = Arc::new(Register::default());
    send(trial, &register, 0..TICKETS)?;
    let settled = accepted(trial, &register, 0..TICKETS);
    let ids: Vec<&str> = settled.iter().map(|payment| &*payment.id).collect();
    let count = register.sightings().accepted();
    await_settled(
        &trial.entrance,
        &trial.simulators,
        &ids,
        count,
        &trial.interrupt,
    )?;
    let twice = settled.first().context("nothing was accepted")?;
    charge_again(trial.last_processor()?, twice)?;

    for simulator in &trial.simulators {
        simulator.set(&Switch::Failing(true))?;
    }
    // Every ticket is sold before the payment is taken away: none may bring it back.
    send(trial, &register, TICKETS..2 * TICKETS)?;
    let lost = forget_one(trial, &accepted(trial, &register, TICKETS..2 * TICKETS))?;
    trial.heal()?;
    let mut acted = Acted {
        sightings: register.sightings(),
        sabotage: Some(Sabotage {
            lost,
            twice: twice.id.clone(),
        }),
        ..Acted::default()
    };
    for what in ["payment lost", "payment twice"] {
        acted.done.counts.insert(what.to_owned(), 1);
    }
    Ok(acted)
}

fn send(trial: &Trial, register: &Arc<Register>, tickets: std::ops::Range<u64>) -> Result<()> {
    trial.start_load(tickets, register)?.join()
}

/// The payments of these numbers that Feeway promised to settle.
fn accepted(trial: &Trial, register: &Register, numbers: std::ops::Range<u64>) -> Vec<Payment> {
    let seen = register.sightings().payments;
    (0..)
        .zip(seen)
        .filter(|(number, seen)| numbers.contains(number) && seen.accepted)
        .map(|(number, _)| trial.traffic().payment(number))
        .collect()
}

/// Posts a payment to a processor as if somebody had sent it there too.
fn charge_again(processor: &Simulator, payment: &Payment) -> Result<()> {
    let body = payment.body();
    let body = body.strip_suffix('}').context("a payment is an object")?;
    let now = jiff::Timestamp::now();
    let body = format!("{body},\"requestedAt\":\"{now:.6}\"}}");
    let mut client = Client::new(Address::Tcp(processor.address), ANSWER_TIMEOUT);
    let headers = "Content-Type: application/json\r\n";
    let answer = client.ask(&request("POST", "/payments", headers, &body))?;
    if answer.status != 200 {
        bail!(
            "{} did not take the payment: {}: {}",
            processor.name,
            answer.status,
            answer.text()
        );
    }
    Ok(())
}

/// Takes the youngest payment that no processor can have seen out of the journal. Returns its
/// id.
fn forget_one(trial: &Trial, open: &[Payment]) -> Result<String> {
    let deadline = Deadline::after(JOURNAL_TIMEOUT);
    loop {
        for payment in open.iter().rev() {
            if forget(&trial.stack.address("redis")?, &payment.id)? {
                return Ok(payment.id.clone());
            }
        }
        if deadline.passed() {
            bail!("no payment waits in the journal though every processor fails");
        }
        trial.interrupt.check()?;
        thread::sleep(LOOK_EVERY);
    }
}

fn forget(redis: &Address, id: &str) -> Result<bool> {
    let Address::Unix(path) = redis else {
        bail!("Redis does not listen on a socket");
    };
    let mut stream = BufReader::new(UnixStream::connect(path)?);
    stream.get_ref().set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let command = format!("EVAL \"{FORGET}\" 1 {{0}}:open \"{}\"\r\n", escaped(id));
    stream.get_mut().write_all(command.as_bytes())?;
    let mut answer = String::new();
    stream.read_line(&mut answer)?;
    match answer.trim_end() {
        ":1" => Ok(true),
        ":0" => Ok(false),
        other => bail!("Redis says {other}"),
    }
}

/// The 16 bytes of an id, each written as `\x4a`.
fn escaped(id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(|c| *c != '-').collect();
    digits
        .chunks(2)
        .map(|byte| format!("\\x{}", byte.iter().collect::<String>()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_and_the_summaries_of_the_second_charge_are_allowed() {
        let sabotage = Sabotage {
            lost: "a".to_owned(),
            twice: "b".to_owned(),
        };
        let found = Audit {
            settled: 10,
            lost: vec!["a: Feeway says nothing".to_owned()],
            twice: vec!["b: by default and by fallback".to_owned()],
            mismatched: vec!["summary of fallback: Feeway says 0 payments".to_owned()],
            open: Vec::new(),
        };
        let check = |change: fn(&mut Audit), expected: bool| {
            let mut audit = found.clone();
            change(&mut audit);
            assert_eq!(
                sabotage.is_all_of(&audit, "fallback"),
                expected,
                "{audit:?}"
            );
        };
        check(|_| {}, true);
        check(|audit| audit.lost.clear(), false);
        check(|audit| audit.lost.push("c: too".to_owned()), false);
        check(|audit| audit.twice[0] = "c: instead".to_owned(), false);
        check(|audit| audit.open.push("c: open".to_owned()), false);
        check(|audit| audit.mismatched.clear(), false);
        check(
            |audit| audit.mismatched.push("summary of default: x".to_owned()),
            false,
        );
    }

    #[test]
    fn ids_are_written_byte_by_byte() {
        let id = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
        let text = escaped(id);
        assert!(text.starts_with(r"\x4a\x79\x01\xb8\x7d"), "{text}");
        assert_eq!(text.len(), 16 * 4);
    }
}
