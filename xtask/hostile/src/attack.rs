//! The hostile clients: those that say nothing, those that say it slowly, those that never
//! stop, and those that talk nonsense.

use std::fmt;
use std::io::{self, Write};
use std::net::TcpStream;
use std::ops::AddAssign;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, bail};
use fastrand::Rng;
use feeway_machine::http_client::{Client, request};
use feeway_machine::readiness::Address;

const IDLE: usize = 2000;
const SLOW: usize = 200;

/// A slow client's byte each second, all of them spread evenly.
const SLOW_PAUSE: Duration = Duration::from_millis(1000 / SLOW as u64);

const LARGE_BYTES: usize = 100 << 20;
const LARGE_PIECE_BYTES: usize = 64 << 10;
const LARGE_PAUSE: Duration = Duration::from_millis(100);

const NONSENSE_PAUSE: Duration = Duration::from_millis(5);

/// No attacker waits longer for a door to take or to say something.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(2);

/// What the hostile clients have done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    idle: u64,
    slow_bytes: u64,
    slow_cut_off: u64,
    large: u64,
    large_bytes: u64,
    nonsense: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.idle += other.idle;
        self.slow_bytes += other.slow_bytes;
        self.slow_cut_off += other.slow_cut_off;
        self.large += other.large;
        self.large_bytes += other.large_bytes;
        self.nonsense += other.nonsense;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  idle connections        {:>8}", self.idle)?;
        writeln!(f, "  bytes, one a second     {:>8}", self.slow_bytes)?;
        writeln!(f, "  slow clients cut off    {:>8}", self.slow_cut_off)?;
        writeln!(f, "  bodies of 100 MB        {:>8}", self.large)?;
        writeln!(f, "  MiB taken of them       {:>8}", self.large_bytes >> 20)?;
        write!(f, "  random bodies           {:>8}", self.nonsense)
    }
}

/// Hostile clients at work. They end when told to, or when this is dropped.
pub(super) struct Attack {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
    idle: Vec<Socket>,
}

impl Attack {
    /// Connects the idle and the slow ones, half of them to each door, and begins.
    pub(super) fn begin(doors: &[Address; 2], seed: u64) -> Result<Self> {
        let idle = connect(doors, IDLE)?;
        let slow = connect(doors, SLOW)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = Vec::new();
        let stopped = Arc::clone(&stop);
        let slow_doors = doors.clone();
        clients.push(thread::spawn(move || trickle(slow, &slow_doors, &stopped)));
        for (door, seed) in doors.iter().zip(seed..) {
            let (stopped, at) = (Arc::clone(&stop), door.clone());
            clients.push(thread::spawn(move || send_large(&at, &stopped)));
            let (stopped, at) = (Arc::clone(&stop), door.clone());
            clients.push(thread::spawn(move || talk_nonsense(at, seed, &stopped)));
        }
        Ok(Self {
            stop,
            clients,
            idle,
        })
    }

    /// Ends it.
    pub(super) fn end(mut self) -> Result<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        let mut tally = Tally {
            idle: self.idle.len() as u64,
            ..Tally::default()
        };
        for client in std::mem::take(&mut self.clients) {
            let Ok(part) = client.join() else {
                bail!("a hostile client panicked");
            };
            tally += part;
        }
        Ok(tally)
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn connect(doors: &[Address; 2], count: usize) -> io::Result<Vec<Socket>> {
    let doors = doors.iter().cycle().take(count);
    doors.map(Socket::open).collect()
}

/// Each says a byte a second of a request that it will not finish in time.
fn trickle(mut slow: Vec<Socket>, doors: &[Address; 2], stop: &AtomicBool) -> Tally {
    let wire = request("POST", "/payments", "", &"x".repeat(100));
    let mut tally = Tally::default();
    for (turn, byte) in wire.iter().cycle().enumerate() {
        // All of them say the same byte before any says the next.
        for client in 0..slow.len() {
            if stop.load(Ordering::Relaxed) {
                return tally;
            }
            thread::sleep(SLOW_PAUSE);
            tally.slow_bytes += 1;
            if slow[client].write_all(&[*byte]).is_err() {
                tally.slow_cut_off += 1;
                if let Ok(again) = Socket::open(&doors[(client + turn) % 2]) {
                    slow[client] = again;
                }
            }
        }
    }
    tally
}

/// Sends 100 MB at a time, by its length and in chunks in turns, until it is cut off.
fn send_large(door: &Address, stop: &AtomicBool) -> Tally {
    let head = "POST /payments HTTP/1.1\r\nHost: feeway\r\n";
    let data = vec![b'x'; LARGE_PIECE_BYTES];
    let size = format!("{LARGE_PIECE_BYTES:x}\r\n");
    let chunk = [size.as_bytes(), &data, b"\r\n"].concat();
    let ways = [
        (format!("{head}Content-Length: {LARGE_BYTES}\r\n\r\n"), data),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n"), chunk),
    ];
    let mut tally = Tally::default();
    for (head, piece) in ways.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(LARGE_PAUSE);
        let Ok(mut socket) = Socket::open(door) else {
            continue;
        };
        tally.large += 1;
        let mut sent = socket.write_all(head.as_bytes());
        let mut left = LARGE_BYTES / LARGE_PIECE_BYTES;
        while sent.is_ok() && left > 0 && !stop.load(Ordering::Relaxed) {
            sent = socket.write_all(piece);
            if sent.is_ok() {
                tally.large_bytes += piece.len() as u64;
            }
            left -= 1;
        }
    }
    tally
}

/// Sends bodies of random bytes, and reads what is said to them.
fn talk_nonsense(door: Address, seed: u64, stop: &AtomicBool) -> Tally {
    let mut random = Rng::with_seed(seed);
    let mut client = Client::new(door, SOCKET_TIMEOUT);
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(NONSENSE_PAUSE);
        let body: String = (0..random.usize(..300))
            .map(|_| random.char('\0'..))
            .collect();
        let wire = request("POST", "/payments", "", &body);
        // Whatever it says, the next one comes.
        if client.ask(&wire).is_ok() {
            tally.nonsense += 1;
        }
    }
    tally
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn open(door: &Address) -> io::Result<Self> {
        match door {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, SOCKET_TIMEOUT)?;
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
                Ok(Self::Tcp(stream))
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
                Ok(Self::Unix(stream))
            }
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}
