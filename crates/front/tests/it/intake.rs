//! What a client is answered when it hands in a payment.

use feeway_worker::{NotKept, Submit};

use crate::front::Front;
use crate::wire::{Client, ID, payment};

#[tokio::test]
async fn a_payment_that_is_kept_is_answered_with_202_and_nothing_else() {
    let front = Front::start().await;
    let mut tcp = Client::tcp(&front).await;
    let reply = tcp.post(&payment("19.90")).await;
    assert_eq!((reply.status, reply.body.as_str()), (202, ""));
    assert_eq!(reply.header("content-type"), None);

    let mut unix = Client::unix(&front).await;
    assert_eq!(unix.post(&payment("20")).await.status, 202);
    assert_eq!(unix.post(&payment("1e2")).await.status, 202);
    assert_eq!(front.submitted_cents(), [1990, 2000, 10_000]);
    assert_eq!(front.script.submitted.lock().unwrap()[0].id.to_string(), ID);
}

#[tokio::test]
async fn what_the_intake_says_becomes_a_status() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    for (submit, status, detail) in [
        (Submit::AmountDiffers, 409, "another amount"),
        (
            Submit::Rejected("a answered 402, b answered \"400\"".to_owned()),
            422,
            "declined this payment: a answered 402, b answered \"400\"; to try again, send",
        ),
        (
            Submit::NotKept(NotKept::StoreAway),
            503,
            "not accepted because there is no connection to the journal",
        ),
        (
            Submit::NotKept(NotKept::StoreClosed),
            503,
            "not accepted because Redis was restarted and the fronts are still repeating",
        ),
        (
            Submit::NotKept(NotKept::JournalFull),
            503,
            "not accepted because the limit of open payments is reached",
        ),
        (
            Submit::NotKept(NotKept::MemoryFull),
            503,
            "not accepted because the journal is out of memory",
        ),
        (
            Submit::NotKept(NotKept::StandsStill("it says \"no\"".to_owned())),
            503,
            "not accepted because it says \"no\"; send it again",
        ),
        (
            Submit::NotKept(NotKept::Busy),
            503,
            "not accepted because this front is overloaded",
        ),
        (
            Submit::Unknown,
            503,
            "unknown whether the payment was accepted; send it again with the same",
        ),
    ] {
        front.script.submits.lock().unwrap().push_back(submit);
        let found = client.post(&payment("1")).await.detail(status);
        assert!(found.contains(detail), "{found}");
    }
}

#[tokio::test]
async fn a_payment_that_comes_back_is_refused_and_goes_no_further() {
    let front = Front::start().await;
    let body = payment("1");
    let with = |lines: &str| {
        let len = body.len();
        format!(
            "POST /payments HTTP/1.1\r\nhost: front\r\n{lines}content-length: {len}\r\n\r\n{body}"
        )
    };
    let mut client = Client::tcp(&front).await;
    for lines in [
        "via: feeway/feeway\r\n",
        "Via: 1.1 proxy, FeeWay/Feeway\r\n",
        "via: 1.1 proxy\r\nvia: feeway/other,feeway/feeway , 1.0 another\r\n",
        "via: \u{ff}\r\nvia: feeway/feeway\r\n",
        "via: caf\u{e9}, feeway/feeway\r\n",
    ] {
        client.write(&with(lines)).await;
        let detail = client.reply().await.detail(508);
        assert!(detail.contains("sent it back"), "{lines:?}: {detail}");
    }
    assert_eq!(front.submitted_cents(), Vec::<i64>::new());
    for lines in [
        "via: 1.1 feeway\r\n",
        "via: feeway/feeway-2, feeway/other\r\n",
        "x-via: feeway/feeway\r\n",
        "via: \u{ff}\r\n",
    ] {
        client.write(&with(lines)).await;
        assert_eq!(client.reply().await.status, 202, "{lines:?}");
    }
    assert_eq!(front.submitted_cents(), [100; 4]);
    // Nothing but a payment goes round.
    client
        .write("GET /payments-summary HTTP/1.1\r\nhost: front\r\nvia: feeway/feeway\r\n\r\n")
        .await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_no_payment_is_refused_by_name_and_nothing_is_accepted() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let with_id = |id: &str| format!(r#"{{"correlationId":{id},"amount":1}}"#);
    for (body, detail) in [
        (String::new(), "the body is not valid JSON in UTF-8"),
        ("{".to_owned(), "the body is not valid JSON in UTF-8"),
        (
            "[1]".to_owned(),
            "the body must be a JSON object with correlationId and amount",
        ),
        ("{}".to_owned(), "correlationId is missing"),
        (
            format!(r#"{{"correlationId":"{ID}"}}"#),
            "amount is missing",
        ),
        (
            with_id("\"x\""),
            "correlationId is not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
        ),
        (
            with_id("null"),
            "correlationId must be a string that holds a UUID",
        ),
        (payment("0"), "amount must be greater than 0"),
        (payment("-1"), "amount must be greater than 0"),
        (payment("19.905"), "amount must have at most two decimals"),
        (
            payment("10000000000"),
            "amount must be at most 9999999999.99",
        ),
        (payment("1e400"), "amount must be at most 9999999999.99"),
        (
            payment("\"19.9\""),
            "amount must be a number, such as 19.90, without quotes",
        ),
        (
            payment("null"),
            "amount must be a number, such as 19.90, without quotes",
        ),
        (payment("NaN"), "the body is not valid JSON in UTF-8"),
        (payment("1,\"amount\":1"), "amount appears more than once"),
    ] {
        assert_eq!(client.post(&body).await.detail(400), detail, "{body}");
    }
    assert!(front.submitted_cents().is_empty());
    assert_eq!(
        client.post(&payment("1")).await.status,
        202,
        "the connection goes on"
    );
}
