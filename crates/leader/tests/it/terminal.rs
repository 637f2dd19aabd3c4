use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Ends with the test, and the terminal with it, at which the leader then ends too.
struct Terminal(Child);

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// What every other test reads are JSON lines: there the log goes into a pipe.
#[test]
fn a_person_at_a_terminal_reads_text() {
    let leader = format!(
        "exec timeout --foreground 20 {} --redis unix:///nowhere/redis.sock --nats nats://127.0.0.1:1 \
         --processor a=http://127.0.0.1:1,fee=0.05",
        env!("CARGO_BIN_EXE_feeway-leader")
    );
    // It gives a command a terminal.
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &leader, "/dev/null"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut terminal = Terminal(command.spawn().expect("script is part of Debian"));
    let stdout = BufReader::new(terminal.0.stdout.take().unwrap());
    let line = stdout
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("listening"))
        .expect("it tells where it listens");
    assert!(line.contains("INFO"), "{line}");
    assert!(line.contains("http://127.0.0.1:"), "{line}");
    assert!(!line.contains('{'), "{line}");
}
