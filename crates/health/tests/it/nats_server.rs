use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use feeway_health::NatsUrl;

/// A NATS server of one test's own. It ends with the value, also on a panic.
pub(crate) struct NatsServer {
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl NatsServer {
    /// One that is not running yet, on a port that was free a moment ago.
    pub(crate) fn down() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            port,
            options: Vec::new(),
            child: None,
        }
    }

    /// One that runs with further options, such as `["--user", "me"]`.
    pub(crate) fn up_with(options: &[&str]) -> Self {
        let mut server = Self::down();
        server.options = options.iter().map(|&option| option.to_owned()).collect();
        server.start();
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> NatsUrl {
        format!("nats://127.0.0.1:{}", self.port).parse().unwrap()
    }

    pub(crate) fn start(&mut self) {
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string()])
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed");
        self.child = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
