//! A processor that only those reach who trust its private authority and bring its header.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feeway_testing::TestAuthority;

use crate::own_process::OwnProcess;
use crate::scrape::{Scraped, scrape, sum};
use crate::stack::{Stack, consecutive_free_ports, eventually, new_id, payment};

/// In every secret of these tests.
const MARK: &str = "hush";
const RIGHT: &str = "Bearer hush-4711";
const WRONG: &str = "Bearer hush-0815";

const PAYMENTS: usize = 20;

/// A stack whose default processor stands behind a guard; both simulators have their usual
/// ports.
struct Guarded {
    stack: Stack,
    /// What fronts and leaders send as the header.
    header: PathBuf,
    _authority: TestAuthority,
    _processes: [OwnProcess; 3],
}

impl Guarded {
    fn up(header: &str, options: &[&str]) -> Self {
        let stack = Stack::reserve();
        let authority = TestAuthority::new();
        let port = consecutive_free_ports();
        let guard = guard(&stack, &authority, port);
        let file = stack.dir.join("authorization");
        fs::write(&file, format!("{header}\n")).expect("room for a file");
        let default = format!(
            "default=https://127.0.0.1:{port}/v2,fee=0.05,ca-file={},authorization-file={}",
            authority.ca_file().display(),
            file.display()
        );
        let fallback = format!(
            "fallback=http://127.0.0.1:{},fee=0.15",
            stack.simulator_port + 1
        );
        let mut all = vec!["--processor", &default, "--processor", &fallback];
        all.extend(options);
        let output = stack.try_start_in(&[("RUST_LOG", "trace")], &all);
        assert!(output.status.success(), "{}", stack.describe(&output));
        let simulator = |name, place| OwnProcess::simulator(&stack, name, place);
        let default = simulator("default", stack.simulator_port);
        let fallback = simulator("fallback", stack.simulator_port + 1);
        Self {
            header: file,
            _authority: authority,
            _processes: [guard, default, fallback],
            stack,
        }
    }

    /// Pays and returns when all is accepted.
    fn pay(&self) {
        let mut connection = self.stack.connect();
        for _ in 0..PAYMENTS {
            let answer = connection.request("POST", "/payments", &payment(&new_id(), "19.90"));
            assert_eq!(answer.status, 202, "{answer:?}");
        }
    }

    fn metric(&self, metric: &str, labels: &str) -> f64 {
        sum(&self.stack, metric, labels)
    }

    /// How many lines of the fronts' and leaders' logs say this.
    fn told(&self, text: &str) -> usize {
        let logs = self.logs();
        let lines = logs.iter().flat_map(|(_, log)| log.lines());
        lines.filter(|line| line.contains(text)).count()
    }

    /// What each front and leader has logged.
    fn logs(&self) -> Vec<(&'static str, String)> {
        let read = |name| {
            let log = self.stack.dir.join(format!("logs/{name}.log"));
            (name, fs::read_to_string(log).expect("it logs"))
        };
        ["front-1", "front-2", "leader-1", "leader-2"]
            .map(read)
            .into()
    }

    /// No log, no page and no file of the stack holds any of the secrets.
    fn assert_told_nobody(&self) {
        for (name, log) in self.logs() {
            assert!(log.contains("TRACE"), "{name} does not log all");
        }
        for Scraped { process, page } in scrape(&self.stack) {
            assert!(!page.contains(MARK), "{process}: {page}");
        }
        let known = [self.header.clone(), self.stack.dir.join("guard.cfg")];
        let mut looked_at = 0;
        for folder in ["", "logs", "config"] {
            for entry in fs::read_dir(self.stack.dir.join(folder)).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() && !known.contains(&path) {
                    assert!(!holds_mark(&path), "{}", path.display());
                    looked_at += 1;
                }
            }
        }
        assert!(looked_at > 10, "only {looked_at} files");
    }
}

fn holds_mark(path: &Path) -> bool {
    let text = fs::read(path).expect("a file");
    String::from_utf8_lossy(&text).contains(MARK)
}

/// Speaks TLS with a certificate of this authority, and lets in who brings the right header.
fn guard(stack: &Stack, authority: &TestAuthority, port: u16) -> OwnProcess {
    let files = authority.certify("127.0.0.1");
    let both = files.certificate.with_extension("both");
    let read = |path| fs::read_to_string(path).expect("a file");
    let pem = read(files.certificate) + &read(files.key);
    fs::write(&both, pem).expect("room for a file");
    let configuration = format!(
        r#"
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend guard
    bind 127.0.0.1:{port} ssl crt {}
    http-request return status 401 unless {{ req.hdr(authorization) -m str "{RIGHT}" }}
    http-request return status 404 unless {{ path_beg /v2/ }}
    http-request replace-path /v2(/.*) \1
    default_backend processor

backend processor
    server processor 127.0.0.1:{}
"#,
        both.display(),
        stack.simulator_port
    );
    OwnProcess::haproxy(stack, "guard", port, &configuration)
}

#[test]
fn a_processor_behind_tls_and_a_header_gets_payments_and_tells_its_health() {
    let guarded = Guarded::up(RIGHT, &[]);
    let stack = &guarded.stack;
    let open = |fronts: f64| guarded.metric("feeway_breaker_open", r#""default""#) == fronts;

    guarded.pay();
    eventually(Duration::from_secs(10), "everything settles", || {
        stack.summary("").0 == (20, 20 * 1990)
    });
    assert!(open(0.0), "both fronts know that it works");

    // Nobody pays, so only the leader's reports can tell the fronts.
    stack.set_failing(0, true);
    eventually(Duration::from_secs(15), "both fronts hear of it", || {
        open(2.0)
    });
    assert_eq!(guarded.metric("feeway_attempts_total", ""), 20.0);
    stack.set_failing(0, false);
    guarded.pay();
    eventually(Duration::from_secs(10), "everything settles", || {
        stack.summary("").0 == (40, 40 * 1990)
    });
    assert_eq!(stack.books(0, ""), (40, 40 * 1990));
    assert_eq!(stack.books(1, ""), (0, 0));
    assert_eq!(guarded.told("rejects our requests"), 0);
    guarded.assert_told_nobody();
}

/// Who refuses to deal with us stores nothing, so what met the refusal goes elsewhere when its
/// patience ends. None is lost, none is paid twice.
#[test]
fn a_wrong_header_sends_payments_elsewhere_after_their_patience_until_it_is_put_right() {
    let guarded = Guarded::up(WRONG, &["--patience", "1s"]);
    let stack = &guarded.stack;
    guarded.pay();
    eventually(Duration::from_secs(20), "all settle elsewhere", || {
        stack.summary("").1 == (20, 20 * 1990)
    });
    assert_eq!(stack.books(0, ""), (0, 0));
    let told = guarded.told("rejects our requests: check its URL and credentials");
    assert!((1..=2).contains(&told), "{told} lines of two fronts");

    fs::write(&guarded.header, RIGHT).expect("room for a file");
    let mut connection = stack.connect();
    let mut paid = 20;
    eventually(Duration::from_secs(20), "it gets payments again", || {
        stack.pay(&mut connection);
        paid += 1;
        stack.summary("").0.0 > 0
    });
    eventually(Duration::from_secs(20), "everything settles", || {
        let (default, fallback) = stack.summary("");
        default.0 + fallback.0 == paid
    });
    stack.assert_books_agree();
    assert!(guarded.told("the processor accepts our requests again") > 0);
    guarded.assert_told_nobody();
}
