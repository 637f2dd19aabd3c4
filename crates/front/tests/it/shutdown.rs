//! Going down without dropping anybody.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::front::{Front, short_limits};
use crate::wire::{Client, payment, post};

#[tokio::test]
async fn a_front_that_goes_down_first_says_so_and_goes_on_serving() {
    let mut front = Front::start_with(short_limits(), false, true).await;
    let mut client = Client::unix(&front).await;
    assert_eq!(client.ask("GET", "/readyz").await.status, 200);
    front.stop();
    let not_ready = async {
        while client.ask("GET", "/readyz").await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), not_ready).await.unwrap();
    assert_eq!(client.post(&payment("1")).await.status, 202);
    let mut newcomer = Client::tcp(&front).await;
    assert_eq!(newcomer.post(&payment("2")).await.status, 202);
    front.stopped().await;
    client.expect_close().await;
    newcomer.expect_close().await;
}

#[tokio::test]
async fn a_request_in_hand_is_finished_and_its_connection_closed() {
    let mut front = Front::start_with(short_limits(), false, true).await;
    front.script.payment_gate.shut();
    let mut client = Client::tcp(&front).await;
    client.write(&post(&payment("1"))).await;
    front.until_submitted(1).await;
    front.stop();
    // The socket's file goes when the front stops to listen.
    crate::front::until(|| !front.unix.exists()).await;
    front.script.payment_gate.open();
    let reply = client.reply().await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.header("connection"), Some("close"));
    client.expect_close().await;
    front.stopped().await;
}

#[tokio::test]
async fn going_down_takes_no_longer_than_notice_and_farewell() {
    let limits = short_limits();
    let longest = limits.notice + limits.farewell + Duration::from_secs(1);
    let mut front = Front::start_with(limits, false, true).await;
    front.script.payment_gate.shut();
    let mut client = Client::unix(&front).await;
    client.write(&post(&payment("1"))).await;
    front.until_submitted(1).await;
    let told = Instant::now();
    front.stop();
    front.stopped().await;
    assert!(told.elapsed() < longest, "{:?}", told.elapsed());
}
