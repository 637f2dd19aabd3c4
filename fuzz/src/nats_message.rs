//! A report on NATS: its subject, a line feed, its payload.

use feeway_health::fuzzing;
use serde_json::Value;

use crate::oracle::Members;

/// Panics on a finding.
pub fn check(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let (subject, payload) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(subject) = std::str::from_utf8(subject) else {
        return;
    };
    let Some(report) = fuzzing::read(subject, payload) else {
        return;
    };
    assert_eq!(subject, format!("feeway.health.{}", report.processor));
    let members = Members::read(payload).expect("an object");
    let value = |name| {
        let text = members.only(name).expect("exactly one");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    assert_eq!(value("processor"), report.processor.as_str());
    assert_eq!(value("failing"), report.failing);
    let ms = value("minResponseTimeMs").as_u64().expect("a whole number");
    assert_eq!(u128::from(ms), report.min_response_time.as_millis());
    // Older leaders do not say it.
    let asked_ago = members.0.iter().any(|(name, _)| name == "askedAgoMs");
    let asked_ago = asked_ago.then(|| value("askedAgoMs").as_u64().expect("a whole number"));
    let expected = u128::from(asked_ago.unwrap_or_default());
    assert_eq!(report.asked_ago.as_millis(), expected);
    assert_eq!(
        fuzzing::read(subject, &fuzzing::write(&report)),
        Some(report)
    );
}
