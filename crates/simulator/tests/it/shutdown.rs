use std::io::ErrorKind;

use feeway_simulator::{Simulator, SimulatorConfig};
use tokio::sync::oneshot;

use crate::client::Client;
use crate::running::{id, until};

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_hand_and_takes_nothing_new() {
    let simulator = Simulator::bind(SimulatorConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        delay_ms: 300,
        ..SimulatorConfig::default()
    })
    .await
    .unwrap();
    let (address, control) = (simulator.local_addr(), simulator.control());
    let (shut_down, shutdown) = oneshot::channel::<()>();
    let running = tokio::spawn(simulator.run(async { shutdown.await.unwrap() }));

    let idle = Client::connect(address).await;
    let mut client = Client::connect(address).await;
    let paying = tokio::spawn(async move { client.pay(id(1)).await.unwrap().status });
    until(|| control.working() == 1).await;
    shut_down.send(()).unwrap();
    idle.ended().await;
    assert!(!paying.is_finished());
    let error = Client::try_connect(address).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(paying.await.unwrap(), 200);
    running.await.unwrap();
}
