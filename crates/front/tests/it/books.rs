//! What a client is answered that asks for the books: the summary, one payment, a listing; and
//! when it empties them.

use feeway_domain::{
    Fee, JournalTime, LedgerFault, Line, Listed, Money, Page, PaymentState, ProcessorName, Purge,
    RequestedAt, Status, StoreFault, Summary, Total,
};
use feeway_front::Limits;

use crate::front::Front;
use crate::wire::{Client, ID};

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
    let query = "/payments-summary?from=2025-07-15T12%3A34%3A56.000001Z&to=2025-07-15T12:35:00Z";
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
            "from is not an instant such as",
        ),
        ("to=".to_owned(), "to is not an instant such as"),
        (
            "from=1969-12-31T23:59:59Z".to_owned(),
            "from is not between 1970-01-01T00:00:00Z and",
        ),
        (
            format!("From={july}"),
            "unknown parameter \"From\"; allowed: from and to",
        ),
        (
            format!("from={july}&from={july}"),
            "from appears more than once",
        ),
        (
            format!("from={july}&to=2025-07-15T12:34:55Z"),
            "from must not be later than to",
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
        ("after=x", "after must be the unchanged next of a page"),
        ("from=yesterday", "from is not an instant such as"),
        (
            "Limit=1",
            "unknown parameter \"Limit\"; allowed: status, from, to, after and limit",
        ),
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
    for (path, why) in [
        ("/payments-summary", "must be the start of an hour"),
        ("/payments", "from, to and after must not be earlier"),
    ] {
        let detail = client.ask("GET", path).await.detail(400);
        assert!(detail.contains("2025-07-08T12:00:00.000000Z"), "{detail}");
        assert!(detail.contains(why), "{detail}");
    }
}

#[tokio::test]
async fn a_listing_of_long_ago_is_answered_where_nothing_was_settled() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let oldest = "2025-07-08T12:00:00Z".parse().unwrap();
    *front.script.page.lock().unwrap() = Some(Err(LedgerFault::TooOld { oldest }));
    let path = "/payments?from=2025-07-01T10:20:30Z&to=2025-07-01T10:20:31Z";
    let nothing = client.ask("GET", path).await;
    assert_eq!(nothing.status, 200, "{nothing:?}");
    assert_eq!(nothing.body, r#"{"payments":[],"next":null}"#);
    // The whole hour was looked at.
    let hour = front.script.windows.lock().unwrap()[0];
    assert_eq!(hour.from(), Some("2025-07-01T10:00:00Z".parse().unwrap()));
    let last = "2025-07-01T10:59:59.999999Z".parse().unwrap();
    assert_eq!(hour.to(), Some(last));

    let total = Total { count: 1, cents: 1 };
    let something = Summary(vec![("old".parse().unwrap(), total)]);
    *front.script.summary.lock().unwrap() = Some(Ok(something));
    client.ask("GET", path).await.detail(400);
}

/// What is kept is asked for once more, from there on.
#[tokio::test]
async fn a_listing_since_long_ago_begins_with_what_is_kept() {
    let front = Front::start().await;
    let mut client = Client::tcp(&front).await;
    let oldest = "2025-07-08T12:00:00Z".parse().unwrap();
    *front.script.page.lock().unwrap() = Some(Err(LedgerFault::TooOld { oldest }));
    let asked = client.ask("GET", "/payments?from=2025-07-01T10:20:30Z");
    // The scripted ledger refuses that as well.
    asked.await.detail(400);
    let listings = front.script.listings.lock().unwrap();
    let begins: Vec<_> = listings.iter().map(|asked| asked.window.from()).collect();
    let first = "2025-07-01T10:20:30Z".parse().unwrap();
    assert_eq!(begins, [Some(first), Some(oldest)]);
}

#[tokio::test]
async fn questions_are_refused_while_the_store_is_away() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    for fault in [
        StoreFault::Away,
        StoreFault::Full,
        StoreFault::Closed,
        StoreFault::Unknown,
    ] {
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
        let is_told = purge.contains("may have forgotten");
        assert_eq!(is_told, fault == StoreFault::Closed, "{purge}");
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
