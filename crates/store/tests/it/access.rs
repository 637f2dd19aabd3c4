use std::net::TcpListener;
use std::time::Duration;

use feeway_domain::{CorrelationId, Ledger as _, Secret};
use feeway_options::Authorities;
use feeway_store::{RedisAccess, RedisConfig, RedisStore};
use feeway_testing::{CaughtLog, TestAuthority};
use feeway_testing::{Persistence, PrivateRedis};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "hush-4711 @?";
const WRONG: &str = "hush-wrong";

fn password(text: &str) -> RedisAccess {
    RedisAccess {
        password: Some(Secret::new(text)),
        ..RedisAccess::default()
    }
}

fn config(url: &str, access: RedisAccess) -> RedisConfig {
    RedisConfig {
        access,
        ..RedisConfig::new(url.parse().unwrap())
    }
}

async fn check_works(store: &RedisStore) {
    let ready = timeout(PATIENCE, store.redis().ready()).await;
    ready.expect("it is let in").unwrap();
    let id = CorrelationId::from_bytes([7; 16]);
    assert!(store.find(id).await.unwrap().is_none());
}

async fn until_logged(log: &CaughtLog, level: &str, line: &str) -> String {
    let logged = timeout(PATIENCE, async {
        loop {
            if let Some(line) = log.lines(level, line).pop() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    logged.await.unwrap_or_else(|_| panic!("{}", log.text()))
}

/// A connection with the password, past the store.
fn admin(redis: &PrivateRedis) -> redis::Connection {
    let client = redis::Client::open(format!("unix://{}", redis.socket().display())).unwrap();
    let mut connection = client.get_connection().unwrap();
    redis::cmd("AUTH")
        .arg(PASSWORD)
        .exec(&mut connection)
        .unwrap();
    connection
}

/// How often somebody came with a wrong password.
fn refusals(connection: &mut redis::Connection) -> u64 {
    let log: Vec<redis::Value> = redis::cmd("ACL").arg("LOG").query(connection).unwrap();
    let counts = log.iter().map(|entry| {
        let fields: std::collections::HashMap<String, redis::Value> =
            redis::from_redis_value(entry.clone()).unwrap();
        redis::from_redis_value::<u64>(fields["count"].clone()).unwrap()
    });
    counts.sum()
}

/// A Redis that speaks TLS at an address of this name, and its port.
fn tls_redis(authority: &TestAuthority, name: &str) -> (PrivateRedis, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let files = authority.certify(name);
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let options = [
        "--tls-port",
        &port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &path(&files.certificate),
        "--tls-key-file",
        &path(&files.key),
        "--tls-ca-cert-file",
        &path(&authority.ca_file()),
        "--requirepass",
        PASSWORD,
    ];
    (PrivateRedis::start_with(Persistence::None, &options), port)
}

fn trusting(authority: &TestAuthority) -> RedisAccess {
    let pem = std::fs::read(authority.ca_file()).unwrap();
    RedisAccess {
        authorities: Some(Authorities::from_pem(pem).unwrap()),
        ..password(PASSWORD)
    }
}

#[tokio::test]
async fn a_password_opens_redis_and_is_not_logged() {
    let redis = PrivateRedis::start_with(Persistence::None, &["--requirepass", PASSWORD]);
    let log = CaughtLog::start();
    let config = config(&redis.url(), password(PASSWORD));
    let shown = format!("{config:?}");
    check_works(&RedisStore::new(config)).await;
    let mut connection = admin(&redis);
    assert_eq!(refusals(&mut connection), 0);
    let told = format!("{shown} {}", log.text());
    assert!(!told.contains("hush"), "{told}");
}

#[tokio::test]
async fn a_user_of_redis_may_be_named() {
    let redis = PrivateRedis::start_with(Persistence::None, &["--requirepass", PASSWORD]);
    redis::cmd("ACL")
        .arg(&["SETUSER", "feeway", "on", ">hush-user", "+@all", "~*"])
        .exec(&mut admin(&redis))
        .unwrap();
    let access = RedisAccess {
        user: Some("feeway".to_owned()),
        ..password("hush-user")
    };
    check_works(&RedisStore::new(config(&redis.url(), access))).await;
}

#[tokio::test]
async fn a_wrong_password_is_told_of_once_and_not_repeated_without_end() {
    let redis = PrivateRedis::start_with(Persistence::None, &["--requirepass", PASSWORD]);
    let log = CaughtLog::start();
    let store = RedisStore::new(config(&redis.url(), password(WRONG)));
    let told = until_logged(&log, "ERROR", "Redis rejected the credentials").await;
    assert!(told.contains("WRONGPASS"), "{told}");
    assert!(!store.redis().is_up());
    // Somebody sees to it.
    let mut connection = admin(&redis);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", WRONG])
        .exec(&mut connection)
        .unwrap();
    check_works(&store).await;
    let refusals = refusals(&mut connection);
    assert!((1..=4).contains(&refusals), "{refusals}");
    assert_eq!(log.lines("ERROR", "").len(), 1, "{}", log.text());
    assert!(!log.text().contains("hush"), "{}", log.text());
}

#[tokio::test]
async fn a_missing_password_is_told_of() {
    let redis = PrivateRedis::start_with(Persistence::None, &["--requirepass", PASSWORD]);
    let log = CaughtLog::start();
    let _store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    let told = until_logged(&log, "ERROR", "Redis rejected the credentials").await;
    assert!(told.contains("NOAUTH"), "{told}");
}

#[tokio::test]
async fn redis_is_spoken_to_over_tls() {
    let authority = TestAuthority::new();
    let (redis, port) = tls_redis(&authority, "127.0.0.1");
    let log = CaughtLog::start();
    let url = format!("rediss://127.0.0.1:{port}");
    let store = RedisStore::new(config(&url, trusting(&authority)));
    check_works(&store).await;
    let clients: String = redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut admin(&redis))
        .unwrap();
    let encrypted = format!("laddr=127.0.0.1:{port} ");
    assert_eq!(clients.matches(&encrypted).count(), 2, "{clients}");
    assert!(!log.text().contains("hush"), "{}", log.text());
}

#[tokio::test]
async fn a_redis_that_is_not_trusted_is_told_of_once_and_hears_no_password() {
    let (theirs, ours) = (TestAuthority::new(), TestAuthority::new());
    for (name, trusted) in [("127.0.0.1", &ours), ("redis.example", &theirs)] {
        let (redis, port) = tls_redis(&theirs, name);
        let log = CaughtLog::start();
        let url = format!("rediss://127.0.0.1:{port}");
        let _store = RedisStore::new(config(&url, trusting(trusted)));
        let told = until_logged(&log, "ERROR", "Redis rejected the credentials").await;
        assert!(told.contains("invalid peer certificate"), "{told}");
        assert_eq!(refusals(&mut admin(&redis)), 0);
        assert!(!log.text().contains("hush"), "{}", log.text());
    }
}
