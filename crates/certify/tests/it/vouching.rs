//! A verdict that lets fronts believe the look-up.

use feeway_certify::{Ending, run};
use feeway_domain::Store;
use feeway_store::{RedisConfig, RedisStore};
use feeway_testing::PrivateRedis;

use crate::running::{Running, options};

/// Certifies and vouches: how it ended, what was said, and which look-ups are trusted then.
async fn vouch(redis: &PrivateRedis, simulator: &Running) -> (Ending, String, Vec<String>) {
    let address = format!("--redis={}", redis.url());
    let arguments = ["--vouch=default", address.as_str()];
    // As somebody may write it; fronts leave the last slash out.
    let options = options(&format!("{}/", simulator.url), &arguments);
    let mut out = Vec::new();
    let ending = run(&options, &mut out).await.unwrap();
    let store = RedisStore::new(RedisConfig::new(redis.url().parse().unwrap()));
    store.redis().ready().await.unwrap();
    let trusted = loop {
        match store.trusted_look_ups().await {
            Ok(trusted) => break trusted,
            Err(_away) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    };
    let trusted = trusted
        .into_iter()
        .map(|(name, url)| format!("{name} {url}"));
    (ending, String::from_utf8(out).unwrap(), trusted.collect())
}

#[tokio::test]
async fn only_a_sound_look_up_is_vouched_for() {
    let redis = PrivateRedis::start();
    for (rules, why) in [
        (r#"{"rules":[{"lookUp":{"lagMs":1000}}]}"#, "lag differs"),
        (
            r#"{"rules":[{"lookUp":{"status":404}}]}"#,
            "look-up differs, lag differs",
        ),
        (
            r#"{"rules":[{"lookUp":{"ifAbsent":200}}]}"#,
            "unknown differs",
        ),
        (
            r#"{"rules":[{"post":{"status":402}}]}"#,
            "look-up cannot tell",
        ),
    ] {
        let simulator = Running::start(rules).await;
        let (ending, said, trusted) = vouch(&redis, &simulator).await;
        assert_eq!(ending, Ending::DoesNotFit, "{said}");
        assert!(
            said.contains(&format!("\nnot vouched for default: {why}")),
            "{said}"
        );
        assert_eq!(trusted, Vec::<String>::new(), "{rules}");
    }
    // What does not concern look-ups does not matter, and the verdict stays what it is.
    for (rules, expected) in [
        ("{}", Ending::Fits),
        (r#"{"rules":[{"post":{"ifHeld":404}}]}"#, Ending::DoesNotFit),
    ] {
        let simulator = Running::start(rules).await;
        let (ending, said, trusted) = vouch(&redis, &simulator).await;
        assert_eq!(ending, expected, "{said}");
        assert!(said.contains("\nvouched: "), "{said}");
        assert_eq!(trusted, [format!("default {}", simulator.url)]);
    }
}
