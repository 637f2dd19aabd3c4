//! Every row of the HTTP contract.

use feeway_domain::{
    Fee, JournalTime, LedgerFault, Line, Listed, Money, Page, PaymentState, ProcessorName, Purge,
    RequestedAt, Status, StoreFault, Summary, Total,
};
use feeway_front::Limits;
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
            Submit::NotKept(NotKept::StoreAway),
            503,
            "not accepted because the journal is away",
        ),
        (
            Submit::NotKept(NotKept::JournalFull),
            503,
            "not accepted because as many payments",
        ),
        (
            Submit::NotKept(NotKept::Busy),
            503,
            "not accepted because this front is busy",
        ),
        (
            Submit::Unknown,
            503,
            "unknown whether the payment was accepted; send the same",
        ),
    ] {
        front.script.submits.lock().unwrap().push_back(submit);
        let found = client.post(&payment("1")).await.detail(status);
        assert!(found.contains(detail), "{found}");
    }
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

#[tokio::test]
async fn the_summary_has_every_configured_processor_in_order() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    let total = Total {
        count: 3,
        cents: 5970,
    };
    let summary = Summary(vec![
        ("fallback".parse().unwrap(), total),
        ("old".parse().unwrap(), total),
    ]);
    *front.script.summary.lock().unwrap() = Some(Ok(summary));
    let reply = client.ask("GET", "/payments-summary").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        reply.body,
        r#"{"default":{"totalRequests":0,"totalAmount":0.00},"fallback":{"totalRequests":3,"totalAmount":59.70},"old":{"totalRequests":3,"totalAmount":59.70}}"#
    );
}

#[tokio::test]
async fn the_summary_is_asked_for_the_window_of_the_query() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let query =
        "/payments-summary?from=2025-07-15T12%3A34%3A56.000001Z&to=2025-07-15T12:35:00Z&x=1";
    assert_eq!(client.ask("GET", query).await.status, 200);
    assert_eq!(client.ask("GET", "/payments-summary?").await.status, 200);
    let windows = front.script.windows.lock().unwrap();
    assert_eq!(
        windows[0].from(),
        Some("2025-07-15T12:34:56.000001Z".parse().unwrap())
    );
    assert_eq!(
        windows[0].to(),
        Some("2025-07-15T12:35:00Z".parse().unwrap())
    );
    assert_eq!((windows[1].from(), windows[1].to()), (None, None));
}

#[tokio::test]
async fn a_query_that_is_no_window_is_refused_by_name() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let july = "2025-07-15T12:34:56Z";
    for (query, detail) in [
        (
            "from=yesterday".to_owned(),
            "from must be an instant such as",
        ),
        ("to=".to_owned(), "to must be an instant such as"),
        (
            format!("from={july}&from={july}"),
            "from appears more than once",
        ),
        (
            format!("from={july}&to=2025-07-15T12:34:55Z"),
            "from must not lie after to",
        ),
    ] {
        let reply = client
            .ask("GET", &format!("/payments-summary?{query}"))
            .await;
        let found = reply.detail(400);
        assert!(found.starts_with(detail), "{found}");
    }
    assert!(front.script.windows.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_payment_is_found_by_its_id() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    let path = format!("/payments/{ID}");
    client.ask("GET", &path).await.detail(404);

    let default: ProcessorName = "default".parse().unwrap();
    *front.script.state.lock().unwrap() = Some(Ok(Some(PaymentState {
        id: ID.parse().unwrap(),
        amount: Money::from_cents(1990).unwrap(),
        status: Status::Settled {
            processor: default,
            requested_at: "2025-07-15T12:34:56.000001Z".parse().unwrap(),
        },
    })));
    let reply = client
        .ask(
            "GET",
            &path.to_uppercase().replace("/PAYMENTS", "/payments"),
        )
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        reply.body,
        format!(
            r#"{{"correlationId":"{ID}","amount":19.90,"status":"settled","processor":"default","requestedAt":"2025-07-15T12:34:56.000001Z"}}"#
        )
    );
}

#[tokio::test]
async fn payments_are_listed_page_by_page() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    let empty = client.ask("GET", "/payments").await;
    assert_eq!(empty.status, 200);
    assert_eq!(empty.body, r#"{"payments":[],"next":null}"#);

    let requested_at: RequestedAt = "2025-07-15T12:34:56.000001Z".parse().unwrap();
    let line = Line {
        state: PaymentState {
            id: ID.parse().unwrap(),
            amount: Money::from_cents(1990).unwrap(),
            status: Status::Settled {
                processor: "default".parse().unwrap(),
                requested_at,
            },
        },
        at: JournalTime::from_micros(requested_at.micros()),
        fee: Fee::from_millionths(50_000),
        why: None,
    };
    *front.script.page.lock().unwrap() = Some(Ok(Page {
        next: Some(line.cursor()),
        lines: vec![line.clone()],
    }));
    let page = client.ask("GET", "/payments?limit=1").await;
    assert_eq!(page.header("content-type"), Some("application/json"));
    let next = format!("settled.1752582896000001.{ID}.1990.default");
    assert_eq!(
        page.body,
        format!(
            r#"{{"payments":[{{"correlationId":"{ID}","amount":19.90,"status":"settled","processor":"default","requestedAt":"2025-07-15T12:34:56.000001Z","fee":0.05}}],"next":"{next}"}}"#
        )
    );
    let query =
        format!("/payments?status=settled&from=2025-07-15T12:00:00Z&after={next}&limit=1000");
    assert_eq!(client.ask("GET", &query).await.status, 200);
    let asked = front.script.listings.lock().unwrap();
    assert_eq!((asked[0].listed, asked[0].limit), (Listed::Settled, 100));
    assert_eq!(
        (asked[2].after.clone(), asked[2].limit),
        (Some(line.cursor()), 1000)
    );
    assert!(asked[2].window.from().is_some());
}

#[tokio::test]
async fn a_query_that_is_no_listing_is_refused_by_name() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    for (query, detail) in [
        (
            "status=closed",
            "status must be one of settled, open, pinned",
        ),
        ("limit=1001", "limit must be a whole number from 1 to 1000"),
        ("limit=", "limit must be a whole number from 1 to 1000"),
        ("after=x", "after must be the next of a page"),
        ("from=yesterday", "from must be an instant such as"),
        ("status=open&status=open", "status appears more than once"),
    ] {
        let reply = client.ask("GET", &format!("/payments?{query}")).await;
        let found = reply.detail(400);
        assert!(found.starts_with(detail), "{found}");
    }
    assert!(front.script.listings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_longer_exact_is_refused_with_the_oldest_instant() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let oldest = "2025-07-08T12:00:00Z".parse().unwrap();
    let too_old = LedgerFault::TooOld { oldest };
    *front.script.summary.lock().unwrap() = Some(Err(too_old));
    *front.script.page.lock().unwrap() = Some(Err(too_old));
    for path in ["/payments-summary", "/payments"] {
        let detail = client.ask("GET", path).await.detail(400);
        assert!(detail.contains("2025-07-08T12:00:00.000000Z"), "{detail}");
    }
}

#[tokio::test]
async fn questions_are_refused_while_the_store_is_away() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    for fault in [StoreFault::Away, StoreFault::Full, StoreFault::Unknown] {
        *front.script.summary.lock().unwrap() = Some(Err(fault.into()));
        *front.script.state.lock().unwrap() = Some(Err(fault));
        *front.script.page.lock().unwrap() = Some(Err(fault.into()));
        client.ask("GET", "/payments").await.detail(503);
        *front.script.purge.lock().unwrap() = Some(Err(fault));
        client.ask("GET", "/payments-summary").await.detail(503);
        client
            .ask("GET", &format!("/payments/{ID}"))
            .await
            .detail(503);
        let purge = client.ask("POST", "/purge-payments").await.detail(503);
        assert_eq!(
            purge.contains("unknown"),
            fault == StoreFault::Unknown,
            "{purge}"
        );
    }
}

#[tokio::test]
async fn purging_empties_the_ledger_only_when_allowed_and_nothing_is_open() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    assert_eq!(client.ask("POST", "/purge-payments").await.status, 200);
    *front.script.purge.lock().unwrap() = Some(Ok(Purge::Open(12)));
    let detail = client.ask("POST", "/purge-payments").await.detail(409);
    assert!(detail.contains("12"), "{detail}");

    let front = Front::start_with(Limits::default(), false, true).await;
    let mut client = Client::tcp(&front).await;
    let detail = client.ask("POST", "/purge-payments").await.detail(403);
    assert!(detail.contains("--allow-purge"), "{detail}");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let front = Front::start().await;
    let id = format!("/payments/{ID}");
    for (method, path, allow) in [
        ("PUT", "/payments", "GET, POST"),
        ("OPTIONS", "/payments", "GET, POST"),
        ("NONSENSE", "/payments?status=open", "GET, POST"),
        ("POST", "/payments-summary", "GET"),
        ("DELETE", &id, "GET"),
        ("GET", "/purge-payments", "POST"),
        ("POST", "/readyz", "GET"),
    ] {
        let mut client = Client::tcp(&front).await;
        let reply = client.ask(method, path).await;
        reply.detail(405);
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
    let mut client = Client::tcp(&front).await;
    client
        .write("HEAD /payments-summary HTTP/1.0\r\n\r\n")
        .await;
    client.finish().await;
    let head = client.head_only().await;
    assert!(head.starts_with("HTTP/1.0 405"), "{head}");
}

#[tokio::test]
async fn anything_else_is_not_there() {
    let front = Front::start().await;
    for path in [
        "/",
        "/payments/",
        "/payments/x",
        "/payments-summary/",
        "/p%61yments",
        "//payments",
        "/metrics",
        "/healthz",
        "/admin/payments-summary",
        "/payments/service-health",
        "http://front/nothing",
        "*",
    ] {
        for method in ["GET", "POST"] {
            let mut client = Client::unix(&front).await;
            client.ask(method, path).await.detail(404);
        }
    }
    let mut client = Client::unix(&front).await;
    client
        .write("CONNECT front:80 HTTP/1.1\r\nhost: front\r\n\r\n")
        .await;
    client.reply().await.detail(404);
}

#[tokio::test]
async fn ready_means_that_the_functions_are_loaded() {
    let front = Front::start().await;
    assert_eq!(
        Client::unix(&front)
            .await
            .ask("GET", "/readyz")
            .await
            .status,
        200
    );
    assert_eq!(
        Client::admin(&front)
            .await
            .ask("GET", "/readyz")
            .await
            .status,
        200
    );
    let front = Front::start_with(Limits::default(), false, false).await;
    Client::unix(&front)
        .await
        .ask("GET", "/readyz")
        .await
        .detail(503);
    Client::admin(&front)
        .await
        .ask("GET", "/readyz")
        .await
        .detail(503);
    assert_eq!(
        Client::admin(&front)
            .await
            .ask("GET", "/healthz")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn metrics_are_for_operators_alone() {
    let front = Front::start().await;
    let mut admin = Client::admin(&front).await;
    let reply = admin.ask("GET", "/metrics").await;
    assert_eq!(reply.status, 200);
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(media_type));
    assert_eq!(reply.body, "written when it is asked for\n");
    admin.ask("POST", "/metrics").await.detail(405);
    let mut client = Client::tcp(&front).await;
    client.ask("GET", "/metrics").await.detail(404);
}

#[tokio::test]
async fn the_admin_listener_takes_no_payments() {
    let front = Front::start().await;
    let mut admin = Client::admin(&front).await;
    admin.post(&payment("1")).await.detail(404);
    let mut admin = Client::admin(&front).await;
    let reply = admin.ask("POST", "/healthz").await;
    reply.detail(405);
    assert_eq!(reply.header("allow"), Some("GET"));
    assert!(front.submitted_cents().is_empty());
}
