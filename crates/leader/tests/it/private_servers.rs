use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use feeway_store::{RedisConfig, RedisStore};

/// A Redis of one test's own, on a socket in a directory of its own. Both end with the
/// value, also on a panic.
pub(crate) struct RedisServer {
    directory: PathBuf,
    options: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    pub(crate) fn down() -> Self {
        let unique = RandomState::new().build_hasher().finish();
        let directory = std::env::temp_dir().join(format!("feeway-leader-{unique:016x}"));
        std::fs::create_dir(&directory).unwrap();
        Self {
            directory,
            options: Vec::new(),
            child: None,
        }
    }

    pub(crate) fn up() -> Self {
        Self::up_with(&[])
    }

    /// One with more options.
    pub(crate) fn up_with(options: &[&str]) -> Self {
        let mut server = Self::down();
        server.options = options.iter().map(ToString::to_string).collect();
        server.start();
        server
    }

    /// Starts it empty: it keeps nothing on disk.
    pub(crate) fn start(&mut self) {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&self.directory)
            .arg("--unixsocket")
            .arg(self.directory.join("redis.sock"))
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
    }

    pub(crate) fn kill(&mut self) {
        end(&mut self.child);
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.directory.join("redis.sock").display())
    }

    pub(crate) fn store(&self) -> RedisStore {
        RedisStore::new(RedisConfig::new(self.url().parse().unwrap()))
    }

    /// The token that holds the lease.
    pub(crate) fn holder(&self) -> Option<String> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        redis::cmd("GET")
            .arg("feeway:lease:health")
            .query(&mut connection)
            .unwrap()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        end(&mut self.child);
        // What is left behind in the temporary directory harms nobody.
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// A NATS server of one test's own, ending with the value.
pub(crate) struct NatsServer {
    port: u16,
    child: Option<Child>,
}

impl NatsServer {
    /// One that is never there, on a port that was free a moment ago.
    pub(crate) fn down() -> Self {
        Self {
            port: free_port(),
            child: None,
        }
    }

    pub(crate) fn up() -> Self {
        Self::up_with(&[])
    }

    /// One with more options.
    pub(crate) fn up_with(options: &[&str]) -> Self {
        let mut server = Self::down();
        server.restart_with(options);
        server
    }

    /// Kills it, if it runs, and starts it with these options, on the same port.
    pub(crate) fn restart_with(&mut self, options: &[&str]) {
        end(&mut self.child);
        let child = Command::new("nats-server")
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string()])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server is installed");
        self.child = Some(child);
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
