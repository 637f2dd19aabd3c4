//! The program with passwords, tokens and certificates: it uses them and tells nobody.

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use feeway_testing::TestAuthority;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::process::{Process, client, front};

/// In every secret of these tests.
const MARK: &str = "hush";

fn write(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the program says of these options, and the code it ends with.
fn refusal(arguments: &[&str], variables: &[(&str, &str)]) -> (String, Option<i32>) {
    let mut command = front();
    let always = [
        "--redis=redis://a",
        "--nats=nats://a",
        "--processor=a=http://a,fee=0",
    ];
    // An option that takes one value may be there once.
    let given = |option: &&str| {
        let name = option.split('=').next().unwrap();
        let name = format!("{name}=");
        !arguments.iter().any(|argument| argument.starts_with(&name))
    };
    command.args(always.iter().filter(|option| given(option)));
    command.args(arguments).envs(variables.iter().copied());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Process(command.spawn().unwrap());
    let mut said = String::new();
    let mut ended = None;
    for _ in 0..2_000 {
        ended = process.0.try_wait().unwrap();
        if ended.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = ended.unwrap_or_else(|| panic!("{arguments:?} start a front"));
    let mut stderr = process.0.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    (said, ended.code())
}

#[test]
fn a_refusal_quotes_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "password", "hush-file\n");
    let file = format!("--redis-password-file={file}");
    let password = ("FEEWAY_REDIS_PASSWORD", "hush-variable");
    let redis = |url: &'static str| vec![url];
    for (arguments, variables, named) in [
        (redis("--redis=http://me:hush@a"), vec![], "--redis"),
        (redis("--redis=rediss://me:hush@a:x"), vec![], "--redis"),
        (redis("--nats=ws://me:hush@a"), vec![], "--nats"),
        (
            redis("--processor=a=https://me:hush@a,fee=0.05"),
            vec![],
            "--processor",
        ),
        (
            redis("--processor=a=https://a,fee=0.05,authorization=hush"),
            vec![],
            "authorization-file=",
        ),
        (vec![&*file], vec![password], "more than once"),
        (
            vec!["--redis=redis://:hush@a"],
            vec![password],
            "more than once",
        ),
        (vec!["--redis-user=me"], vec![], "--redis-password-file"),
        (
            vec!["--nats=nats://hush@a", "--nats-user=me"],
            vec![("FEEWAY_NATS_PASSWORD", "hush")],
            "more than one",
        ),
        (
            vec![],
            vec![("FEEWAY_NATS_PASSWORD", "hush")],
            "--nats-user",
        ),
        (
            vec![&*file.replace("redis-password", "nats-creds")],
            vec![],
            "credentials of a NATS user",
        ),
        (
            vec![
                &*file.replace("redis-password", "redis-ca"),
                "--redis=rediss://a",
            ],
            vec![],
            "certificates in PEM",
        ),
        (
            vec!["--nats-token-file=/nowhere/token"],
            vec![],
            "No such file",
        ),
    ] {
        let (said, code) = refusal(&arguments, &variables);
        assert_eq!(code, Some(64), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(named), "{said}");
        assert!(!said.contains(MARK), "{said}");
    }
}

#[test]
fn help_shows_no_secret() {
    let output = front()
        .arg("--help")
        .env("FEEWAY_REDIS", "redis://:hush@a")
        .env("FEEWAY_NATS", "nats://hush@a")
        .env("FEEWAY_REDIS_PASSWORD", "hush")
        .env("FEEWAY_NATS_PASSWORD", "hush")
        .env("FEEWAY_PROCESSORS", "a=https://hush@a,fee=0.05")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("FEEWAY_REDIS_PASSWORD_FILE"), "{help}");
    assert!(help.contains("FEEWAY_NATS_TOKEN "), "{help}");
    assert!(!help.contains(MARK), "{help}");
}

#[test]
fn an_authorization_file_that_is_empty_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(&folder, "authorization", "\n");
    let option = format!("--processor=a=http://a,fee=0,authorization-file={file}");
    let (said, code) = refusal(&[&option], &[]);
    assert_eq!(code, Some(1), "{said}");
    let expected = format!("error: processor a: authorization file {file}: is empty");
    assert_eq!(said.trim_end(), expected);
}

#[tokio::test]
async fn a_front_logs_in_to_redis_and_nats_and_logs_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let authority = TestAuthority::new();
    let server = authority.certify("127.0.0.1");
    let (redis_port, nats_port) = (free_port(), free_port());
    let mut redis = Command::new("redis-server");
    redis
        .args(["--port", "0", "--save", "", "--requirepass", "hush-redis"])
        .args(["--appendonly", "yes"])
        .args(["--tls-port", &redis_port.to_string()])
        .args(["--tls-auth-clients", "no", "--dir", text(folder.path())])
        .args(["--tls-cert-file", text(&server.certificate)])
        .args(["--tls-key-file", text(&server.key)])
        .args(["--tls-ca-cert-file", text(&authority.ca_file())]);
    let _redis = Process::start(&mut redis);
    let mut nats = Command::new("nats-server");
    nats.args(["-a", "127.0.0.1", "-p", &nats_port.to_string(), "--tls"])
        .args(["--tlscert", text(&server.certificate)])
        .args(["--tlskey", text(&server.key)])
        .args(["--user", "feeway", "--pass", "hush-nats"]);
    let _nats = Process::start(nats.stderr(Stdio::null()));

    let socket = folder.path().join("front.sock");
    let log = folder.path().join("front.log");
    let authorization = write(&folder, "authorization", "Bearer hush-processor");
    let mut command = front();
    command
        .env("RUST_LOG", "trace")
        .env("FEEWAY_NATS_PASSWORD", "hush-nats")
        .arg(format!("--listen=unix:{}", socket.display()))
        .arg(format!("--redis=rediss://127.0.0.1:{redis_port}"))
        .arg(format!(
            "--redis-password-file={}",
            write(&folder, "redis", "hush-redis\n")
        ))
        .args(["--redis-ca-file", text(&authority.ca_file())])
        .arg(format!("--nats=tls://127.0.0.1:{nats_port}"))
        .args(["--nats-user", "feeway"])
        .args(["--nats-ca-file", text(&authority.ca_file())])
        .arg(format!(
            "--processor=a=https://127.0.0.1:9,fee=0.05,ca-file={},authorization-file={authorization}",
            authority.ca_file().display()
        ))
        .stdout(File::create(&log).unwrap());
    let front = Process(command.spawn().unwrap());
    let mut client = client(&socket).await;
    let opened = async {
        while client.ask("GET", "/readyz").await.status != 200
            || !fs::read_to_string(&log)
                .unwrap()
                .contains("connected to NATS")
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let opened = timeout(Duration::from_secs(10), opened).await;
    let told = fs::read_to_string(&log).unwrap();
    opened.unwrap_or_else(|_| panic!("{told}"));
    assert!(!told.contains(MARK), "{told}");
    let seen_by_all = fs::read(format!("/proc/{}/cmdline", front.0.id())).unwrap();
    assert!(!String::from_utf8_lossy(&seen_by_all).contains(MARK));
}
