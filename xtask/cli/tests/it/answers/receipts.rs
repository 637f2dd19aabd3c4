//! 2xx that is a yes, and 2xx that only sounds like one.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    DEFAULT, FALLBACK, accept, fate, id_of, rule, seen, set_rules, until_all_are, until_posted, up,
};
use crate::http::Connection;
use crate::stack::eventually;

const OF_EACH: usize = 2;

/// So long that all payments are on their way before the first answer.
const DELAY_MS: u64 = 400;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Yes,
    /// Stored a moment after the answer.
    Later,
    No,
}

fn kinds() -> Vec<(Value, Meaning)> {
    use Meaning::{Later, No, Yes};
    let html = "text/html; charset=utf-8";
    vec![
        (json!({ "status": 201 }), Yes),
        (json!({ "status": 204 }), Yes),
        (json!({ "body": { "status": "processed" } }), Yes),
        (json!({ "status": 202, "storesAfterMs": 1500 }), Later),
        (
            json!({ "body": { "status": "pending" }, "storesAfterMs": 1500 }),
            Later,
        ),
        (json!({ "status": 202 }), No),
        (json!({ "status": 206 }), No),
        (json!({ "body": { "status": "failed" } }), No),
        (json!({ "body": { "status": "DECLINED" } }), No),
        (json!({ "status": 201, "body": { "success": false } }), No),
        (json!({ "body": { "data": { "status": "rejected" } } }), No),
        (
            json!({ "body": "<html>Sign in</html>", "contentType": html }),
            No,
        ),
        (json!({ "body": "<!DOCTYPE html><p>Sign in" }), No),
    ]
}

#[test]
fn an_answer_that_only_sounds_like_a_yes_settles_nothing_until_a_look_up_finds_the_payment() {
    let stack = up(&[]);
    let kinds = kinds();
    let rules: Vec<Value> = (kinds.iter().enumerate())
        .map(|(row, (post, meaning))| {
            let mut post = post.clone();
            post["delayMs"] = json!(DELAY_MS);
            if *meaning == Meaning::No {
                post["stores"] = json!(false);
            }
            rule(row, &post, &json!({}))
        })
        .collect();
    set_rules(&stack, DEFAULT, &rules);
    let all: Vec<(usize, String)> = (0..OF_EACH * kinds.len())
        .map(|number| number % kinds.len())
        .map(|row| (row, id_of(row)))
        .collect();
    let those = |meaning| -> Vec<String> {
        let those = all.iter().filter(|(row, _)| kinds[*row].1 == meaning);
        those.map(|(_, id)| id.clone()).collect()
    };
    let ids: Vec<String> = all.iter().map(|(_, id)| id.clone()).collect();
    for id in &ids {
        accept(&stack, id);
    }
    until_posted(&stack, DEFAULT, &ids);

    for meaning in [Meaning::Yes, Meaning::Later] {
        let within = Duration::from_secs(15);
        until_all_are(&stack, within, &those(meaning), "settled at default");
    }
    let unsettled = those(Meaning::No);
    eventually(Duration::from_secs(15), "they are looked up", || {
        unsettled
            .iter()
            .all(|id| seen(&stack, DEFAULT, id).look_ups >= 3)
    });
    for (row, id) in &all {
        let (post, meaning) = &kinds[*row];
        let seen = seen(&stack, DEFAULT, id);
        assert_eq!(seen.posts, 1, "{post}");
        assert_eq!(seen.is_held, *meaning != Meaning::No, "{post}");
        if *meaning == Meaning::No {
            assert_eq!(fate(&stack, id), "open at default", "{post}");
        }
    }
    stack.assert_books_agree();

    // The processor has them after all.
    set_rules(&stack, DEFAULT, &[]);
    let mut connection = Connection::open(stack.simulator_port);
    for id in &unsettled {
        let at = Timestamp::now();
        let body =
            json!({ "correlationId": id, "amount": 19.9, "requestedAt": format!("{at:.6}") });
        let headers = "Content-Type: application/json\r\n";
        let answer = connection.request_with("POST", "/payments", headers, &body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    until_all_are(
        &stack,
        Duration::from_secs(20),
        &unsettled,
        "settled at default",
    );
    for id in &ids {
        assert_eq!(seen(&stack, FALLBACK, id).posts, 0, "{id}");
    }
    stack.assert_books_agree();
}
