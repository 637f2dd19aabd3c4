use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::PATIENCE;
use crate::private_servers::{NatsServer, RedisServer};
use crate::processor_stub::ProcessorStub;

/// A leader as it runs in production. It is killed with the value.
pub(crate) struct LeaderProcess {
    child: Option<Child>,
    admin: String,
    log: Arc<Mutex<String>>,
}

impl LeaderProcess {
    pub(crate) fn start(
        name: &str,
        redis: &RedisServer,
        nats: &NatsServer,
        processors: &[(&str, &ProcessorStub)],
    ) -> Self {
        let mut command = leader();
        command
            .args(["--name", name])
            .args(["--redis", &redis.url()])
            .args(["--nats", &nats.url()]);
        for (name, stub) in processors {
            command.arg("--processor");
            command.arg(format!("{name}={},fee=0.05", stub.url));
        }
        Self::run(command)
    }

    /// Starts this command line, which is a leader's, and reads its log.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let written = log.clone();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .inspect(move |line| {
                let mut log = written.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(line);
                log.push('\n');
            });
        let admin = lines
            .by_ref()
            .find_map(|line| {
                let (_, rest) = line.split_once(r#""admin":"http://"#)?;
                Some(rest.split_once('"')?.0.to_owned())
            })
            .expect("it logs where its admin listener is");
        // A full pipe would stop it.
        spawn_blocking(move || lines.for_each(drop));
        Self {
            child: Some(child),
            admin,
            log,
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    /// Its command line, as everybody on the machine sees it.
    pub(crate) fn command_line(&self) -> String {
        let id = self.child.as_ref().unwrap().id();
        let words = std::fs::read(format!("/proc/{id}/cmdline")).unwrap();
        String::from_utf8_lossy(&words).replace('\0', " ")
    }

    /// As kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let signalled = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {}", child.id()))
            .status();
        assert!(signalled.unwrap().success());
        let ended = spawn_blocking(move || child.wait().unwrap());
        timeout(PATIENCE, ended).await.expect("it ends").unwrap()
    }

    pub(crate) async fn until_ready(&self) {
        self.until_page("/readyz", |status, _| status == 200).await;
    }

    pub(crate) async fn until_ready_says(&self, expected: (u16, &str)) {
        self.until_page("/readyz", |status, body| (status, body) == expected)
            .await;
    }

    async fn until_page(&self, path: &str, fits: impl Fn(u16, &str) -> bool) {
        let reached = timeout(PATIENCE, async {
            loop {
                let (status, body) = self.page(path).await;
                if fits(status, &body) {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        reached.await.expect("the page says so");
    }

    /// The status and the body of one of its admin pages.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }
}

impl Drop for LeaderProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program, without what the tests' own environment may say.
pub(crate) fn leader() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feeway-leader"));
    command.env_clear();
    command
}
