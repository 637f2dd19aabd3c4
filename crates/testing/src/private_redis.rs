use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How it keeps what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Not at all: killed, it has forgotten everything.
    None,
    /// In an append-only file, written before every reply.
    AppendOnly,
}

/// A redis-server of its own, in a folder of its own. Dropping it kills it and removes the
/// folder, also when a test panics.
#[derive(Debug)]
pub struct PrivateRedis {
    folder: PathBuf,
    options: Vec<String>,
    child: Option<Child>,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

/// Between two looks whether it answers, and how often it is looked.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 4_000;

impl PrivateRedis {
    /// Starts one that keeps nothing on disk. Blocks until it answers.
    ///
    /// # Panics
    /// When no redis-server can be started.
    pub fn start() -> Self {
        Self::start_with(Persistence::None, &[])
    }

    /// Starts one with further options such as `["--maxmemory", "10mb"]`.
    ///
    /// # Panics
    /// When no redis-server can be started.
    pub fn start_with(persistence: Persistence, options: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("feeway-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for a private redis");
        let append_only = match persistence {
            Persistence::None => "no",
            Persistence::AppendOnly => "yes",
        };
        let fixed = [
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            append_only,
            "--appendfsync",
            "no",
            "--maxmemory-policy",
            "noeviction",
            "--hash-max-listpack-entries",
            "512",
        ];
        let options = fixed.iter().chain(options).map(|&option| option.to_owned());
        let mut redis = Self {
            folder,
            options: options.collect(),
            child: None,
        };
        redis.run();
        redis
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// Kills it (-9).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only when it has ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Kills it if it runs, and starts it again on the same socket and files.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }

    /// The same with further options. Of one that was given before the last counts.
    pub fn restart_with(&mut self, options: &[&str]) {
        let more = options.iter().map(|&option| option.to_owned());
        self.options.extend(more);
        self.restart();
    }

    /// Stops it as if the machine had frozen, until [`PrivateRedis::resume`].
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let done = Command::new("kill").args([signal, &id]).status();
        assert!(done.expect("kill runs").success());
    }

    fn run(&mut self) {
        let socket = self.socket();
        if socket.exists() {
            std::fs::remove_file(&socket).expect("the socket of the one before");
        }
        let child = Command::new("redis-server")
            .args(&self.options)
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        self.child = Some(child);
        for _ in 0..LOOKS {
            if answers(&socket) {
                return;
            }
            std::thread::sleep(LOOK);
        }
        panic!("a private redis-server did not answer");
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Whether it answers, and is done loading its file.
fn answers(socket: &Path) -> bool {
    let ping = || -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        // One that wants a password is there too.
        Ok(&answer == b"+PONG" || &answer == b"-NOAU")
    };
    ping().unwrap_or(false)
}
