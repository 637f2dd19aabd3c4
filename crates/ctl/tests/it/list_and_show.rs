use feeway_ctl::Ending;
use feeway_domain::{CorrelationId, Fee, Money, Payment, RequestedAt, Settlement, Store};

use crate::desk::{Desk, at, id, payment};

const NOON: &str = "2025-07-15T12:00:00Z";

#[tokio::test]
async fn every_status_is_listed_with_what_belongs_to_it() {
    let desk = Desk::new().await;
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, None).await;
    desk.keep(&hold, 2, Some("default")).await;
    desk.keep(&hold, 3, None).await;
    desk.store
        .reject(&hold, &payment(3), "every processor answered 400")
        .await
        .unwrap();
    desk.settle(4, "default", at(NOON)).await;
    desk.settle(4, "fallback", at(NOON)).await;
    desk.settle(5, "default", at("2025-07-15T11:00:00Z")).await;
    let lines = async |status: &str| {
        let (ending, text) = desk.ctl(&["list", status]).await.unwrap();
        assert_eq!(ending, Ending::Fine);
        let lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines
    };
    let ids = async |status: &str| {
        let found = lines(status).await;
        let ids = found.iter().map(|line| line[..36].parse().unwrap());
        ids.collect::<Vec<CorrelationId>>()
    };
    assert_eq!(ids("open").await, [id(1), id(2)]);
    assert_eq!(ids("pinned").await, [id(2)]);
    assert_eq!(ids("rejected").await, [id(3)]);
    assert_eq!(ids("conflict").await, [id(4), id(4)]);
    assert_eq!(ids("settled").await, [id(5), id(4), id(4)]);
    assert!(lines("rejected").await[0].ends_with("every processor answered 400"));
    let settled = &lines("settled").await[0];
    assert_eq!(
        settled.split_whitespace().collect::<Vec<_>>()[1..],
        ["10.05", "2025-07-15T11:00:00.000000Z", "default", "0.05"]
    );
    let window = ["list", "settled", "--json", "--from", NOON, "--to", NOON];
    let (_, text) = desk.ctl(&window).await.unwrap();
    let expected = format!(
        r#"{{"correlationId":"{}","amount":10.04,"status":"settled","processor":"default","requestedAt":"2025-07-15T12:00:00.000000Z","fee":0.05}}"#,
        id(4)
    );
    assert_eq!(text.lines().next(), Some(&expected[..]));
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn a_long_ledger_is_listed_over_many_pages_and_cut_at_the_limit() {
    let desk = Desk::new().await;
    let start = at(NOON).micros();
    for number in 0..2_500_i64 {
        let settlement = Settlement {
            payment: Payment {
                id: CorrelationId::from_bytes(
                    (u128::from(number.unsigned_abs()) << 64).to_be_bytes(),
                ),
                amount: Money::from_cents(1).unwrap(),
            },
            processor: "default".parse().unwrap(),
            requested_at: RequestedAt::from_micros(start + number * 3_000_000).unwrap(),
            fee: Fee::from_millionths(0).unwrap(),
        };
        desk.store.settle(&settlement).await.unwrap();
    }
    let (_, text) = desk.ctl(&["list", "settled"]).await.unwrap();
    assert_eq!(text.lines().count(), 2_501);
    let times: Vec<&str> = text.lines().skip(1).map(|line| &line[53..80]).collect();
    assert!(times.is_sorted() && times[0].starts_with("2025-07-15T12:00:00"));
    let limited = ["list", "settled", "--json", "--limit", "1200"];
    let (_, text) = desk.ctl(&limited).await.unwrap();
    assert_eq!(text.lines().count(), 1_200);
}

#[tokio::test]
async fn show_tells_all_that_is_known() {
    let desk = Desk::new().await;
    let show = async |number: u8, json: bool| {
        let id = id(number).to_string();
        let arguments = ["show", &id, "--json"];
        let arguments = &arguments[..if json { 3 } else { 2 }];
        desk.ctl(arguments).await.unwrap()
    };
    assert_eq!(show(9, false).await, (Ending::Not, String::new()));
    let hold = desk.enlist("front-1.a").await;
    desk.keep(&hold, 1, Some("default")).await;
    let (ending, text) = show(1, false).await;
    assert_eq!(ending, Ending::Fine);
    for said in [
        "amount       10.01",
        "status       open",
        "processor    default",
        "acceptedAt   20",
        "moves        0",
        "owner        front-1.a",
        "in hand of   front-1.a, which is running: its last heartbeat was 0.",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let (_, text) = show(1, true).await;
    for said in [
        r#""owner":"front-1.a""#,
        r#""lives":true"#,
        r#""acceptedAt":"20"#,
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    desk.store.resign(&hold).await.unwrap();
    let (_, text) = show(1, false).await;
    assert!(
        text.contains("in hand of   nobody: front-1.a has given it up"),
        "{text}"
    );
    desk.settle(1, "default", at(NOON)).await;
    desk.settle(1, "fallback", at(NOON)).await;
    let (_, text) = show(1, false).await;
    assert_eq!(text.matches("status       conflict").count(), 2, "{text}");
    assert_eq!(text.matches("fee          0.05").count(), 2, "{text}");
}
