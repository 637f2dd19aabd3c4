//! A simulator on a free port, which ends with the test.

use std::ffi::OsString;

use feeway_certify::Options;
use feeway_simulator::{Control, Rules, Simulator, SimulatorConfig};
use tokio::task::JoinHandle;

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) control: Control,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// With a document of rules.
    pub(crate) async fn start(rules: &str) -> Self {
        let rules: Rules = rules.parse().unwrap();
        let simulator = Simulator::bind(SimulatorConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            rules,
            ..SimulatorConfig::default()
        });
        let simulator = simulator.await.unwrap();
        Self {
            url: format!("http://{}", simulator.local_addr()),
            control: simulator.control(),
            task: tokio::spawn(simulator.run(std::future::pending())),
        }
    }

    pub(crate) fn rules(&self, document: &str) {
        self.control.set_rules(document.parse().unwrap());
    }
}

/// Options with short times, so that what takes too long does so soon.
pub(crate) fn options(url: &str, more: &[&str]) -> Options {
    let quick = [
        "feeway-certify",
        "--lag-max=1500ms",
        "--absence-after=700ms",
        "--max-latency=500ms",
        "--attempt-timeout=2s",
        "--yes",
        url,
    ];
    let arguments = quick.iter().chain(more);
    Options::read(arguments.map(OsString::from)).unwrap()
}
