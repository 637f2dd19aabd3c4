//! HAProxy alone with the repository's configuration, in front of fronts that misbehave.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use feeway_machine::files::repository;

use crate::http::{Answer, Connection};
use crate::stack::{consecutive_free_ports, eventually, new_folder};

/// The first release whose parser's own errors follow `http-error`, not a built-in page.
const PROBLEMS_FROM_THE_PARSER: (u32, u32, u32) = (3, 2, 4);

#[test]
fn the_configuration_is_valid_without_a_warning_for_one_front_and_for_eight() {
    for fronts in [1, 2, 8] {
        for run_dir in [true, false] {
            let mut command = haproxy();
            command.arg("-c").env("FEEWAY_PORT", "9999");
            for number in 1..=fronts {
                command.env(
                    format!("FEEWAY_FRONT_{number}"),
                    format!("127.0.0.1:{}", 8000 + number),
                );
            }
            if run_dir {
                command.env("FEEWAY_RUN_DIR", "/run");
            }
            let output = command.output().expect("haproxy is installed");
            let said = said(&output);
            assert!(output.status.success(), "{said}");
            assert!(!said.contains("WARNING"), "{said}");
        }
    }
}

#[test]
fn a_front_that_is_not_there_is_a_503_with_a_time_to_come_back() {
    let entrance = Entrance::open(|_| None);
    let answer = entrance.ask();
    answer.assert_problem(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[test]
fn a_front_that_hangs_up_is_a_502() {
    Entrance::open(|_| Some("")).ask().assert_problem(502);
}

#[test]
fn a_front_that_answers_nonsense_is_a_502() {
    Entrance::open(|_| Some("nonsense\r\n\r\n"))
        .ask()
        .assert_problem(502);
}

#[test]
fn a_front_that_hangs_is_covered_by_another() {
    let entrance = Entrance::open(|front| match front {
        1 => Some("hang"),
        _ => Some("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
    });
    for _ in 0..2 {
        assert_eq!(entrance.ask().status, 202);
    }
}

#[test]
fn what_a_front_says_of_itself_is_not_for_clients() {
    let entrance = Entrance::open(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let mut connection = Connection::open(entrance.port);
    for path in ["/readyz", "/healthz", "/metrics", "/readyz?verbose"] {
        let answer = connection.request("GET", path, "");
        answer.assert_lists_every_route();
    }
    assert_eq!(
        connection.request("GET", "/payments-summary", "").status,
        200
    );
}

#[test]
fn garbage_and_half_a_head_are_refused_in_bounded_time() {
    let entrance = Entrance::open(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let check = |bytes: &[u8], status: u16| {
        let mut connection = Connection::open(entrance.port);
        connection.send(bytes);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{answer:?}");
        if version() >= PROBLEMS_FROM_THE_PARSER {
            answer.assert_problem(status);
        }
    };
    check(b"garbage\r\n\r\n", 400);
    check(b"GET / HTTP/1.1\r\nHost: feeway\r\nno colon\r\n\r\n", 400);
    check(
        b"POST / HTTP/1.1\r\nHost: feeway\r\nContent-Length: 1, 2\r\n\r\n",
        400,
    );
    check(b"GET / HTTP/1.1\r\nHost: fee", 408);
}

/// What HAProxy itself says to requests that are HTTP and yet too much, or ambiguous. Before
/// 3.2.4 its parser's refusals are pages of its own, which `docs/openapi.json` lists.
#[test]
fn odd_requests_are_refused_with_a_problem_where_haproxy_can() {
    let entrance = Entrance::open(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let answer = |target: &str, headers: &str| {
        let mut connection = Connection::open(entrance.port);
        let request = format!("GET {target} HTTP/1.1\r\nHost: feeway\r\n{headers}\r\n");
        connection.send(request.as_bytes());
        connection.answer()
    };
    let many =
        |headers: usize| -> String { (0..headers).map(|n| format!("X-{n}: y\r\n")).collect() };
    let long = "x".repeat(20_000);

    // With its Host these are the most that a front takes, and one more.
    assert_eq!(answer("/payments", &many(99)).status, 200);
    answer("/payments", &many(100)).assert_problem(431);
    assert_eq!(answer("http://feeway/payments", "").status, 200);
    assert_eq!(answer("/payments", "Host: feeway\r\n").status, 200);
    let parsed = [
        ("/payments", many(600), 400),
        ("/payments", "Host: other\r\n".to_owned(), 400),
        ("http://other/payments", String::new(), 400),
        (&*format!("/payments?{long}"), String::new(), 400),
        ("/payments", format!("X: {long}\r\n"), 400),
        (
            "/payments",
            "Transfer-Encoding: gzip, chunked\r\n".to_owned(),
            422,
        ),
    ];
    for (target, headers, status) in parsed {
        let answer = answer(target, &headers);
        assert_eq!(answer.status, status, "{answer:?}");
        if version() >= PROBLEMS_FROM_THE_PARSER {
            answer.assert_problem(status);
        }
    }
}

/// HAProxy with two fronts that answer whatever they are asked with a fixed text.
struct Entrance {
    haproxy: Child,
    folder: PathBuf,
    port: u16,
}

impl Entrance {
    /// The texts by the number of the front: nothing means that it is not there at all,
    /// `hang` that it never answers. Health checks always go well.
    fn open(text: impl Fn(u32) -> Option<&'static str>) -> Self {
        let folder = new_folder();
        fs::create_dir_all(&folder).expect("a new folder");
        let port = consecutive_free_ports();
        let mut command = haproxy();
        for number in [1, 2] {
            let socket = folder.join(format!("front-{number}.sock"));
            command.env(
                format!("FEEWAY_FRONT_{number}"),
                format!("unix@{}", socket.display()),
            );
            if let Some(text) = text(number) {
                serve(&socket, text);
            }
        }
        let log = fs::File::create(folder.join("haproxy.log")).expect("a new file");
        let haproxy = command
            .arg("-db")
            .env("FEEWAY_PORT", port.to_string())
            .env("FEEWAY_RUN_DIR", &folder)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("haproxy is installed");
        eventually(Duration::from_secs(5), "haproxy listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self {
            haproxy,
            folder,
            port,
        }
    }

    fn ask(&self) -> Answer {
        Connection::open(self.port).request("GET", "/payments-summary", "")
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        self.haproxy.kill().expect("it is ours");
        self.haproxy.wait().expect("it was started");
        fs::remove_dir_all(&self.folder).expect("nobody needs it");
    }
}

/// Its threads end with the test program.
fn serve(socket: &Path, text: &'static str) {
    let listener = UnixListener::bind(socket).expect("a new socket");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, text));
        }
    });
}

fn answer(mut stream: UnixStream, text: &str) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        let text = if buffer[..length].starts_with(b"GET /readyz") {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            text
        };
        match text {
            "hang" => {}
            "" => return,
            text => {
                if stream.write_all(text.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }
}

fn haproxy() -> Command {
    let root = repository();
    let system = Path::new("/usr/sbin/haproxy");
    let program = if system.exists() {
        system
    } else {
        Path::new("haproxy")
    };
    let mut command = Command::new(program);
    command.arg("-f").arg(root.join("haproxy.cfg"));
    command
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

fn version() -> (u32, u32, u32) {
    let mut command = haproxy();
    let text = said(&command.arg("-v").output().expect("haproxy is installed"));
    let number = text
        .split_whitespace()
        .find(|word| word.starts_with(char::is_numeric));
    let mut parts = number
        .expect("haproxy names its version")
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
