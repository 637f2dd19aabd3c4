use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use crate::stack::{Stack, eventually, new_id, payment};

const CLIENTS: usize = 8;
const ROUNDS: usize = 50;

#[test]
fn the_same_payment_from_many_clients_at_the_same_moment_is_one_payment() {
    let stack = Stack::up(&[]);
    let ids: Vec<String> = (0..ROUNDS).map(|_| new_id()).collect();
    let barrier = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = stack.connect();
                for id in &ids {
                    barrier.wait();
                    let body = payment(id, "19.90");
                    let answer = connection.request("POST", "/payments", &body);
                    assert_eq!(answer.status, 202, "{answer:?}");
                    assert_eq!(answer.body, "");
                }
            });
        }
    });
    let rounds = i64::try_from(ROUNDS).expect("it is small");
    eventually(Duration::from_secs(5), "everything is settled", || {
        stack.summary("").0.0 >= rounds
    });
    let again = stack.ask("POST", "/payments", &payment(&ids[0], "19.90"));
    assert_eq!(again.status, 202, "{again:?}");
    let other = stack.ask("POST", "/payments", &payment(&ids[0], "19.91"));
    other.assert_problem(409);
    assert_eq!(stack.summary(""), ((rounds, rounds * 1990), (0, 0)));
    assert_eq!(stack.books(0, ""), (rounds, rounds * 1990));
    assert_eq!(stack.books(1, ""), (0, 0));
}
