//! A simulator of one's own on a free port, ended with the test.

use std::net::SocketAddr;
use std::time::Duration;

use feeway_domain::CorrelationId;
use feeway_simulator::{Control, Simulator, SimulatorConfig};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::{Client, Reply};

pub(crate) const AT: &str = "2025-07-15T12:34:56.000Z";

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin_address: SocketAddr,
    pub(crate) control: Control,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn start() -> Running {
    start_with(SimulatorConfig::default()).await
}

pub(crate) async fn start_with(config: SimulatorConfig) -> Running {
    let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let simulator = Simulator::bind(SimulatorConfig {
        listen: free,
        admin_listen: Some(free),
        ..config
    })
    .await
    .unwrap();
    Running {
        address: simulator.local_addr(),
        admin_address: simulator.admin_addr().unwrap(),
        control: simulator.control(),
        task: tokio::spawn(simulator.run(std::future::pending())),
    }
}

impl Running {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        Client::connect(self.address).await.get(path).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Reply {
        let mut client = Client::connect(self.address).await;
        client.send("PUT", path, body).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        let mut client = Client::connect(self.address).await;
        client.send("POST", path, body).await.unwrap()
    }

    /// Posts a payment and returns the status.
    pub(crate) async fn pay(&self, id: CorrelationId) -> u16 {
        self.post("/payments", &payment(id, "19.90", AT))
            .await
            .status
    }

    /// Puts a document of rules in force.
    pub(crate) fn rules(&self, document: &str) {
        self.control.set_rules(document.parse().unwrap());
    }

    pub(crate) fn holds(&self, id: CorrelationId) -> bool {
        self.control.find(id).is_some()
    }

    /// Posts a payment in a task of its own; the answer is its status.
    pub(crate) fn paying(&self, id: CorrelationId) -> JoinHandle<u16> {
        let address = self.address;
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            client.pay(id).await.unwrap().status
        })
    }

    /// Posts a payment and hangs up once so many payments were posted.
    pub(crate) async fn pay_and_hang_up(&self, id: CorrelationId, posts: u64) {
        let paying = self.paying(id);
        until(|| self.control.posts() == posts).await;
        paying.abort();
        assert!(paying.await.unwrap_err().is_cancelled());
        // By the answer to this one, the other end was seen too.
        assert_eq!(self.get("/").await.status, 404);
    }

    /// Waits until so many requests are at work.
    pub(crate) async fn until_working(&self, count: usize) {
        until(|| self.control.working() == count).await;
    }
}

pub(crate) fn id(number: u128) -> CorrelationId {
    CorrelationId::from_bytes(number.to_be_bytes())
}

pub(crate) fn payment(id: CorrelationId, amount: &str, requested_at: &str) -> String {
    format!(r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{requested_at}"}}"#)
}

/// Waits until something is so; fails when it is not within 5 s.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    timeout(Duration::from_secs(5), async {
        while !so() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it becomes so within 5 s");
}
