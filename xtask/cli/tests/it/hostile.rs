//! Hostile clients, through HAProxy.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use fastrand::Rng;

use crate::attacks::attacks;
use crate::stack::{Stack, new_id, payment};

/// Longer than any time-out of the entrance.
const TIMEOUT: Duration = Duration::from_secs(10);

const RANDOM_BODIES: usize = 5_000;

#[test]
fn no_framing_smuggles_a_payment_past_haproxy_or_shifts_the_answers_of_others() {
    let stack = Stack::up(&[]);
    let (open, hidden) = (new_id(), new_id());
    let count = attacks(&payment(&open, "1"), &payment(&hidden, "666")).len();
    for number in 0..count {
        let (open, hidden) = (new_id(), new_id());
        let attack = attacks(&payment(&open, "1"), &payment(&hidden, "666")).remove(number);
        let owed = if attack.pipelined { 2 } else { 0 };
        let answers = say(stack.port, &attack.bytes, owed);
        let name = format!("{number}, {}: {answers}", attack.name);
        let accepted = answers.matches("HTTP/1.1 202 ").count();
        let kept = [&open, &hidden].map(|id| is_known(&stack, id));
        // HAProxy gives one answer to each request that it sees. Where it is more lenient
        // than a front (a line feed alone) it sees two, and hands on two with clean framing.
        let seen = count_answers(&answers);
        assert!(!kept[1] || seen == 2, "hidden: {name}");
        assert!(!attack.pipelined || seen == 2, "sound: {name}");
        let kept = kept.into_iter().filter(|known| *known).count();
        assert_eq!(accepted, kept, "{name}");
        assert_others_get_their_own_answers(&stack, &name);
    }
}

#[test]
fn random_bodies_and_random_requests_break_nothing() {
    let stack = Stack::up(&[]);
    let mut random = Rng::with_seed(5);
    let mut connection = stack.connect();
    for _ in 0..RANDOM_BODIES {
        let length = random.usize(..200);
        let body: String = (0..length).map(|_| random.char('\0'..)).collect();
        let answer = connection.request("POST", "/payments", &body);
        answer.assert_problem(400);
    }
    for _ in 0..100 {
        let noise: Vec<u8> = (0..random.usize(1..2000)).map(|_| random.u8(..)).collect();
        assert!(
            !say(stack.port, &noise, 0).contains("HTTP/1.1 202"),
            "{noise:?}"
        );
    }
    assert_others_get_their_own_answers(&stack, "after noise");
    for name in ["front-1", "front-2", "haproxy"] {
        let record = stack.record();
        let all = record["processes"].as_array().expect("a list");
        let process = all.iter().find(|process| process["name"] == name);
        assert_eq!(process.expect("it runs")["restarts"], 0, "{name}");
    }
}

/// The measurement is the command's own; a busy machine that runs tests gets more room than
/// the 20 % of a quiet one.
#[test]
fn normal_clients_are_served_while_thousands_of_hostile_ones_are_there() {
    let stack = Stack::reserve();
    let mut arguments = vec!["--profile", "dev", "--rounds", "7"];
    arguments.extend(["--seconds", "1", "--max-slowdown", "400"]);
    let output = stack.xtask("hostile", &arguments);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("normal requests that failed: 0"), "{said}");
    println!("{said}");
}

/// Says it all, waits for the answers that are owed, closes its side, and returns what is
/// answered until the end.
///
/// HAProxy drops a request that waits behind another when it learns that the client's side is
/// closed while it is busy with the first one. Nothing of it gets to a front, so nothing is
/// lost; but who is owed two answers may not close after saying both.
fn say(port: u16, bytes: &[u8], owed: usize) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("not zero");
    let mut answers = Vec::new();
    // It may be cut off before all is said, and reset after the answer.
    let end = stream
        .write_all(bytes)
        .and_then(|()| read_answers(&mut stream, owed, &mut answers))
        .and_then(|()| stream.shutdown(Shutdown::Write));
    let rest = stream.read_to_end(&mut answers);
    let answers = String::from_utf8_lossy(&answers).into_owned();
    let in_time = [end.err(), rest.err()].into_iter().flatten().all(|error| {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
        matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
    });
    let said = String::from_utf8_lossy(bytes);
    assert!(
        in_time,
        "neither answered nor cut off: {said:?}: {answers:?}"
    );
    answers
}

/// Reads until as many answers have begun, or nothing more comes.
fn read_answers(stream: &mut TcpStream, owed: usize, answers: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; 4096];
    while count_answers(&String::from_utf8_lossy(answers)) < owed {
        match stream.read(&mut piece)? {
            0 => break,
            length => answers.extend_from_slice(&piece[..length]),
        }
    }
    Ok(())
}

fn count_answers(answers: &str) -> usize {
    answers.matches("HTTP/1.1 ").count()
}

fn is_known(stack: &Stack, id: &str) -> bool {
    let answer = stack.ask("GET", &format!("/payments/{id}"), "");
    assert!(matches!(answer.status, 200 | 404), "{answer:?}");
    answer.status == 200
}

/// Connections to the fronts are shared, so what an attack left behind on one of them would
/// be read as the answer to somebody else.
#[track_caller]
fn assert_others_get_their_own_answers(stack: &Stack, name: &str) {
    let mut connection = stack.connect();
    for _ in 0..4 {
        let id = new_id();
        let answer = connection.request("POST", "/payments", &payment(&id, "2"));
        assert_eq!((answer.status, &*answer.body), (202, ""), "{name}");
        let answer = connection.request("GET", &format!("/payments/{id}"), "");
        assert_eq!(answer.json()["correlationId"], id.as_str(), "{name}");
    }
}
