//! A million bodies that nobody has thought of.

use std::fs;

use fastrand::Rng;
use feeway_front::{MAX_BODY_BYTES, PaymentParser};

use crate::front::Front;
use crate::wire::{Client, payment, post};

const BODIES: usize = 1_000_000;

/// As many of them also go over a connection.
const BODIES_ON_THE_WIRE: usize = 20_000;

/// How many are sent before their answers are read: no more than both sides buffer.
const PIPELINED: usize = 20;

/// What the other tests in this process may take or give back meanwhile.
const GROWTH_MAX_KIB: u64 = 64 * 1024;

const TOKENS: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\"correlationId\"",
    "\"amount\"",
    "19.90",
    "-0",
    "1e400",
    "null",
    "true",
    "\\ud800",
    "\u{0}",
    "é",
    " ",
    "\n",
    "\"x\"",
    "\"4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3\"",
];

/// Noise, payments with a few bytes changed, or pieces of JSON in any order.
fn random_body(random: &mut Rng) -> Vec<u8> {
    match random.u8(..3) {
        0 => {
            let length = random.usize(..200);
            (0..length).map(|_| random.u8(..)).collect()
        }
        1 => {
            let mut body = payment("19.90").into_bytes();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..body.len());
                match random.u8(..3) {
                    0 => body[at] = random.u8(..),
                    1 => body.insert(at, random.u8(b' '..=b'~')),
                    _ => {
                        body.remove(at);
                    }
                }
            }
            body
        }
        _ => {
            let length = random.usize(..30);
            let tokens = (0..length).map(|_| TOKENS[random.usize(..TOKENS.len())]);
            tokens.collect::<String>().into_bytes()
        }
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

#[test]
fn a_million_random_bodies_are_read_or_refused_without_growth() {
    let mut random = Rng::with_seed(8);
    let mut parser = PaymentParser::default();
    // The largest body first: the parser's buffers are as large then as they get.
    assert!(parser.parse(&[b'['; MAX_BODY_BYTES]).is_err());
    let before = resident_kib();
    let mut accepted = 0;
    for _ in 0..BODIES {
        if let Ok(payment) = parser.parse(&random_body(&mut random)) {
            assert!(payment.amount.cents() > 0);
            accepted += 1;
        }
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB, "{grown} KiB more");
    // Some of the changed payments are payments still; most are not.
    assert!(
        (BODIES / 1000..BODIES / 3).contains(&accepted),
        "{accepted}"
    );
}

#[tokio::test]
async fn random_bodies_on_the_wire_are_answered_each_as_it_reads_alone() {
    let front = Front::start().await;
    let mut random = Rng::with_seed(9);
    let mut parser = PaymentParser::default();
    let mut client = Client::tcp(&front).await;
    let mut accepted = Vec::new();
    for _ in 0..BODIES_ON_THE_WIRE / PIPELINED {
        let bodies: Vec<_> = (0..PIPELINED).map(|_| random_body(&mut random)).collect();
        let mut requests = Vec::new();
        for body in &bodies {
            let mut request = post("").into_bytes();
            let end = request.len() - "0\r\n\r\n".len();
            request.truncate(end);
            request.extend(format!("{}\r\n\r\n", body.len()).bytes());
            requests.extend(request);
            requests.extend(body);
        }
        client.try_write(&requests).await.unwrap();
        for body in &bodies {
            let reply = client.reply().await;
            match parser.parse(body) {
                Ok(payment) => {
                    assert_eq!(reply.status, 202, "{}", String::from_utf8_lossy(body));
                    accepted.push(payment.amount.cents());
                }
                Err(error) => assert_eq!(reply.detail(400), error.to_string()),
            }
        }
    }
    assert_eq!(front.submitted_cents(), accepted);
}
