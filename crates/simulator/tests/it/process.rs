use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_feeway-simulator");

/// A process that ends with the test, also when it fails.
struct Process {
    child: Child,
    log: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Process {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["--listen", "127.0.0.1:0", "--name", "fallback"])
            .args(arguments)
            .env("FEEWAY_SIMULATOR_FEE", "0.15")
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        Self { child, log }
    }

    /// The next line of the log with this message.
    fn logged(&mut self, message: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "{message}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }
}

#[test]
fn it_logs_where_it_listens_and_when_it_was_asked_and_ends_with_0() {
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start();
        let line = process.logged("listening");
        assert_eq!(line["processor"], "fallback");
        assert_eq!(line["fee"], "0.15");
        let address = line["address"].as_str().unwrap().to_owned();

        let ask = || {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream
                .write_all(b"GET /payments/service-health HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            stream
        };
        let mut first = ask();
        let line = process.logged("health asked");
        assert!(line["at_us"].as_i64().unwrap() > 1_700_000_000_000_000);
        assert!(line["gap_us"].is_null());
        let mut status = [0; 12];
        first.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        let second = ask();
        let line = process.logged("health asked");
        assert!(line["gap_us"].as_u64().unwrap() > 0);

        drop(second);
        process.signal(signal);
        assert_eq!(process.child.wait().unwrap().code(), Some(0));
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn only_line(output: &Output) -> &str {
    let text = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn a_bad_option_is_one_line_that_names_it_and_exit_64() {
    for arguments in [["--fee", "5"], ["--permits", "0"], ["--lisen", "x"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(64));
        assert!(only_line(&output).contains(arguments[0]));
    }
}

#[test]
fn a_bad_document_of_rules_is_one_line_that_names_the_field() {
    let document = "{\n  \"rules\": [\n    {\"post\": {\"status\": 1}}\n  ]\n}";
    let output = run(&["--rules", document]);
    assert_eq!(output.status.code(), Some(64));
    let line = only_line(&output);
    assert!(
        line.contains("--rules") && line.contains("rules[0].post.status"),
        "{line}"
    );
}

#[test]
fn it_starts_with_the_rules_of_the_command_line_or_of_a_file() {
    let file = std::env::temp_dir().join(format!("feeway-rules-{}.json", std::process::id()));
    std::fs::write(&file, r#"{"health":{"status":404}}"#).unwrap();
    let path = format!("@{}", file.display());
    for rules in [r#"{"health":{"status":404}}"#, &path] {
        let mut process = Process::start_with(&["--rules", rules]);
        let line = process.logged("listening");
        let address = line["address"].as_str().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET /payments/service-health HTTP/1.1\r\nhost: simulator\r\n\r\n")
            .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 404", "{rules}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn an_address_that_is_taken_is_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(only_line(&output).contains(&address));
}

#[test]
fn help_is_not_an_error() {
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(str::from_utf8(&output.stdout).unwrap().contains("--fee"));
}
