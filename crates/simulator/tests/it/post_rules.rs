//! What rules do to POSTs.

use std::time::Duration;

use feeway_domain::Window;
use tokio::time::Instant;

use crate::client::{Client, is_reset};
use crate::running::{AT, Running, id, payment, start, until};
use crate::wire::Wire;

/// A simulator with one rule for every POST.
async fn posts(rule: &str) -> Running {
    let simulator = start().await;
    simulator.rules(&format!(r#"{{"rules":[{{"post":{rule}}}]}}"#));
    simulator
}

#[tokio::test]
async fn a_payment_is_answered_and_stored_as_told() {
    const DONE: &str = r#"{"message":"payment processed successfully"}"#;
    for (rule, status, content_type, body, held) in [
        ("{}", 200, "application/json", DONE, true),
        (r#"{"status":201}"#, 201, "", "", true),
        (r#"{"status":204}"#, 204, "", "", true),
        (r#"{"status":204,"stores":false}"#, 204, "", "", false),
        (r#"{"status":500}"#, 500, "", "", false),
        (r#"{"status":500,"stores":true}"#, 500, "", "", true),
        (r#"{"status":302}"#, 302, "", "", false),
        (
            r#"{"body":{"status":"failed"},"stores":false}"#,
            200,
            "application/json",
            r#"{"status":"failed"}"#,
            false,
        ),
        (
            r#"{"status":202,"body":"<p>","contentType":"text/html"}"#,
            202,
            "text/html",
            "<p>",
            true,
        ),
        (
            r#"{"body":"x","bodyBytes":3}"#,
            200,
            "application/json",
            "x  ",
            true,
        ),
    ] {
        let simulator = posts(rule).await;
        let reply = simulator.post("/payments", &payment(id(1), "1", AT)).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (status, body),
            "{rule}"
        );
        let told = reply.headers.get("content-type");
        let told = told.map_or("", |value| value.to_str().unwrap());
        assert_eq!(told, content_type, "{rule}");
        assert_eq!(simulator.holds(id(1)), held, "{rule}");
    }
}

#[tokio::test]
async fn a_rule_stands_in_for_the_switches_and_other_ids_have_none() {
    let simulator = start().await;
    simulator.control.set_failing(true);
    let only = format!(r#"{{"rules":[{{"ids":["{}"],"post":{{}}}}]}}"#, id(1));
    simulator.rules(&only);
    assert_eq!(simulator.pay(id(1)).await, 200);
    assert_eq!(simulator.pay(id(2)).await, 500);
    assert_eq!(simulator.post("/payments", "").await.status, 400);
    let stats = simulator.get("/admin/stats").await.json();
    for (name, count) in [("posts", 3), ("ruled", 1), ("failed", 1), ("malformed", 1)] {
        assert_eq!(stats[name], count, "{name}");
    }
}

#[tokio::test]
async fn another_amount_may_take_the_place_of_the_first() {
    let simulator = posts(r#"{"ifHeld":"replaces"}"#).await;
    for (amount, cents) in [("1", 100), ("2", 200)] {
        let payment = payment(id(1), amount, AT);
        assert_eq!(simulator.post("/payments", &payment).await.status, 200);
        let total = simulator.control.total(Window::default());
        assert_eq!((total.count, total.cents), (1, cents));
    }
}

#[tokio::test]
async fn an_answer_has_the_headers_that_are_told() {
    let simulator =
        posts(r#"{"status":429,"headers":{"Retry-After":"7","connection":"close"}}"#).await;
    let mut client = Client::connect(simulator.address).await;
    let reply = client.pay(id(1)).await.unwrap();
    assert_eq!(reply.status, 429);
    assert_eq!(reply.headers["retry-after"], "7");
    client.ended().await;
}

#[tokio::test]
async fn a_payment_is_stored_before_with_or_after_its_answer() {
    for (rule, before, after) in [
        (r#"{"delayMs":250,"storesAfterMs":0}"#, true, true),
        (r#"{"delayMs":250}"#, false, true),
        (r#"{"delayMs":250,"storesAfterMs":750}"#, false, false),
    ] {
        let simulator = posts(rule).await;
        let started = Instant::now();
        let paying = simulator.paying(id(1));
        until(|| simulator.control.requests(id(1)).0 == 1).await;
        if before {
            until(|| simulator.holds(id(1))).await;
            assert_eq!(simulator.control.working(), 0, "only the answer waits");
            assert!(!paying.is_finished());
        } else {
            assert!(!simulator.holds(id(1)), "{rule}");
        }
        assert_eq!(paying.await.unwrap(), 200);
        assert!(started.elapsed() >= Duration::from_millis(250), "{rule}");
        assert_eq!(simulator.holds(id(1)), after, "{rule}");
        until(|| simulator.holds(id(1)) && simulator.control.working() == 0).await;
    }
}

#[tokio::test]
async fn without_a_delay_of_its_own_a_rule_has_the_switch_s() {
    let simulator = posts(r#"{"status":503}"#).await;
    simulator.control.set_delay_ms(100);
    let started = Instant::now();
    assert_eq!(simulator.pay(id(1)).await, 503);
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_payment_gets_no_answer() {
    for stores in [true, false] {
        let rule = |ends: &str| format!(r#"{{"ends":"{ends}","stores":{stores}}}"#);
        let simulator = posts(&rule("close")).await;
        let mut client = Client::connect(simulator.address).await;
        let error = client.pay(id(1)).await.unwrap_err();
        assert!(error.is_incomplete_message(), "{error:?}");
        assert_eq!(simulator.holds(id(1)), stores);

        let simulator = posts(&rule("reset")).await;
        let mut client = Client::connect(simulator.address).await;
        let error = client.pay(id(1)).await.unwrap_err();
        assert!(is_reset(&error), "{error:?}");
        assert_eq!(simulator.holds(id(1)), stores);

        let simulator = posts(&rule("hang")).await;
        let mut wire = Wire::connect(simulator.address).await;
        wire.post(id(1)).await;
        assert!(wire.is_silent(Duration::from_millis(100)).await);
        assert_eq!(simulator.holds(id(1)), stores);
        assert_eq!(simulator.control.working(), 0, "it needs no permit");
    }
}

#[tokio::test]
async fn an_id_that_is_held_is_refused_as_told() {
    for (rule, second, duplicates) in [
        ("{}", 422, 1),
        (r#"{"ifHeld":409}"#, 409, 1),
        (r#"{"ifHeld":200}"#, 200, 1),
        (r#"{"ifHeld":"sameRule"}"#, 200, 0),
        (r#"{"status":500,"stores":true}"#, 422, 1),
        (
            r#"{"status":500,"stores":true,"ifHeld":"sameRule"}"#,
            500,
            0,
        ),
        (r#"{"ends":"close","ifHeld":409}"#, 409, 1),
        (r#"{"delayMs":1,"storesAfterMs":2,"ifHeld":409}"#, 409, 1),
    ] {
        let simulator = posts(rule).await;
        let mut client = Client::connect(simulator.address).await;
        drop(client.pay(id(1)).await);
        until(|| simulator.holds(id(1))).await;
        assert_eq!(simulator.pay(id(1)).await, second, "{rule}");
        assert_eq!(simulator.control.duplicates(), duplicates, "{rule}");
        let everything = simulator.get("/admin/payments-summary").await.json();
        assert_eq!(everything["totalRequests"], 1, "{rule}");
    }
}

#[tokio::test]
async fn a_rule_may_be_for_the_first_posts_of_an_id() {
    let simulator = posts(r#"{"status":503,"first":2}"#).await;
    for number in [1, 2] {
        for expected in [503, 503, 200, 422] {
            assert_eq!(simulator.pay(id(number)).await, expected);
        }
    }
    simulator.control.purge();
    assert_eq!(simulator.pay(id(1)).await, 503, "a purge forgets the count");
}

#[tokio::test]
async fn an_answer_comes_twice_at_once() {
    let simulator = posts(r#"{"status":202,"body":"a","againAfterMs":0}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    let answer = "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n\
                  content-length: 1\r\n\r\na";
    for number in [1, 2] {
        wire.post(id(number)).await;
        wire.expect(&answer.repeat(2)).await;
    }
    assert!(wire.is_silent(Duration::from_millis(20)).await);
    assert!(simulator.holds(id(1)));
}

#[tokio::test]
async fn an_answer_comes_again_before_the_one_to_the_next_request() {
    let simulator = posts(r#"{"status":500,"againAfterMs":300,"first":1}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    let (answer, other) = (
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n",
    );
    wire.post(id(1)).await;
    wire.expect(answer).await;
    wire.get("/nothing").await;
    wire.expect(other).await;
    simulator.control.set_delay_ms(3_600_000);
    wire.post(id(1)).await;
    let date = "date: Sun, 30 Nov 2026 00:00:00 GMT\r\n\r\n";
    wire.skip(date.len()).await;
    wire.expect(answer).await;
    assert_eq!(
        simulator.control.working(),
        1,
        "the second POST waits still"
    );
}

#[tokio::test]
async fn bytes_are_written_as_they_are_and_the_connection_goes_on() {
    let simulator = posts(r#"{"raw":"HTTP/1.1 200 OK\r\nX Waf: caf\u00e9\u0001\r\n\r\n"}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    for number in [1, 2] {
        wire.post(id(number)).await;
        wire.expect("HTTP/1.1 200 OK\r\nX Waf: caf\u{e9}\u{1}\r\n\r\n")
            .await;
        assert!(simulator.holds(id(number)));
    }
}

#[tokio::test]
async fn bytes_may_be_all_that_comes() {
    let simulator = posts(r#"{"raw":"HTTP/1.1 200 OK\r\n","ends":"close","stores":false}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    wire.post(id(1)).await;
    assert_eq!(wire.rest().await, "HTTP/1.1 200 OK\r\n");
    assert!(!simulator.holds(id(1)));
}

#[tokio::test]
async fn one_line_of_an_answer_s_head_is_written_as_it_is() {
    let simulator = posts(r#"{"rawHeader":"X-Waf: a\r\n b","body":"{}"}"#).await;
    let mut wire = Wire::connect(simulator.address).await;
    wire.post(id(1)).await;
    wire.expect(
        "HTTP/1.1 200 OK\r\nX-Waf: a\r\n b\r\ncontent-type: application/json\r\n\
         content-length: 2\r\n\r\n{}",
    )
    .await;
}
