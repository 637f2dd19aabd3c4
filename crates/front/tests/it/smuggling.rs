//! Requests whose end is a matter of opinion: straight at the front.

use crate::attacks::attacks;
use crate::front::{Front, short_limits};
use crate::wire::{Client, ID, payment, post};

const HIDDEN_CENTS: i64 = 66_600;

#[tokio::test]
async fn no_framing_hides_a_second_payment() {
    let front = Front::start_with(short_limits(), false, true).await;
    let hidden = payment("666.00");
    for (number, attack) in attacks(&payment("1"), &hidden).into_iter().enumerate() {
        let before = front.submitted_cents().len();
        let mut client = Client::tcp(&front).await;
        // The front may have cut it off before it has said all.
        client.try_write(&attack.bytes).await.unwrap_or_default();
        let answered = client.accepted_until_close().await;
        let taken = front.submitted_cents().split_off(before);
        let name = format!("{number}, {}: {taken:?}", attack.name);
        if !attack.pipelined {
            assert!(!taken.contains(&HIDDEN_CENTS), "{name}");
            assert!(taken.len() <= 1, "{name}");
        }
        assert_eq!(answered, taken.len(), "{name}");
    }
}

#[tokio::test]
async fn requests_cut_anywhere_are_the_same_requests() {
    let front = Front::start().await;
    let chunked = format!(
        "POST /payments HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        payment("2").len(),
        payment("2")
    );
    let both = [post(&payment("1")), chunked].concat();
    let mut expected = Vec::new();
    let mut client = Client::tcp(&front).await;
    for cut in 1..both.len() {
        let (first, second) = both.split_at(cut);
        client.write(first).await;
        tokio::task::yield_now().await;
        client.write(second).await;
        for _ in 0..2 {
            assert_eq!(client.reply().await.status, 202, "cut at {cut}");
        }
        expected.extend([100, 200]);
    }
    assert_eq!(front.submitted_cents(), expected);
}

#[tokio::test]
async fn a_thousand_pipelined_requests_are_answered_one_by_one_in_order() {
    let front = Front::start().await;
    let mut client = Client::unix(&front).await;
    let unknown = format!("GET /payments/{ID} HTTP/1.1\r\nhost: x\r\n\r\n");
    let round = [post(&payment("1")), post("{}"), unknown].concat();
    client.write(&round.repeat(334)).await;
    for _ in 0..334 {
        for status in [202, 400, 404] {
            assert_eq!(client.reply().await.status, status);
        }
    }
    assert_eq!(front.submitted_cents(), vec![100; 334]);
}
