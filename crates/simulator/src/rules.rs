//! How this processor differs from a faithful one: one document of rules, each for some ids.

mod look_up_rule;
mod members;
mod post_rule;
mod reply_members;

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use feeway_domain::CorrelationId;
use serde_json::{Value, json};

pub(crate) use self::look_up_rule::LookUpRule;
use self::members::Members;
pub use self::members::RulesError;
pub(crate) use self::post_rule::{IfHeld, PostRule};
use crate::dice::{Probability, belongs};
use crate::reply::Reply;

/// The most rules of a document.
const MAX_RULES: usize = 100;

/// What is different from a faithful processor: the first rule that fits counts. The
/// document is described in `docs/simulator.md`.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    health: Option<PlainRule>,
    malformed: Option<PlainRule>,
    /// As it was given.
    document: Value,
}

#[derive(Clone, Debug)]
struct Rule {
    ids: Ids,
    post: Option<Arc<PostRule>>,
    look_up: Option<Arc<LookUpRule>>,
}

/// The ids that a rule is for: those that have all that is asked for.
#[derive(Clone, Debug)]
struct Ids {
    listed: Option<BTreeSet<CorrelationId>>,
    prefix: String,
    share: Probability,
    salt: String,
}

/// What everybody is answered with who asks the same question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlainRule {
    pub(crate) delay: Duration,
    pub(crate) reply: Reply,
}

/// There are none: a faithful processor.
impl Default for Rules {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            health: None,
            malformed: None,
            document: json!({}),
        }
    }
}

/// Reads the document.
impl FromStr for Rules {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| RulesError::new("the document", format!("is not JSON: {error}")))?;
        Self::read(document)
    }
}

impl Rules {
    fn read(document: Value) -> Result<Self, RulesError> {
        let mut members = Members::of(String::new(), document.clone())?;
        let preset: Option<Preset> = members.take("preset")?;
        let listed: Vec<Value> = members.take("rules")?.unwrap_or_default();
        if listed.len() > MAX_RULES {
            return Err(members.refused("rules", format!("are at most {MAX_RULES}")));
        }
        let mut rules = Vec::with_capacity(listed.len());
        for (number, rule) in listed.into_iter().enumerate() {
            rules.push(Rule::read(Members::of(format!("rules[{number}]"), rule)?)?);
        }
        let mut health = members.inner("health")?.map(PlainRule::read).transpose()?;
        let malformed = members.inner("malformed")?;
        let malformed = malformed.map(PlainRule::read).transpose()?;
        members.end()?;
        if let Some(preset) = preset {
            let preset = Self::read(preset.document())?;
            rules.extend(preset.rules);
            health = health.or(preset.health);
        }
        Ok(Self {
            rules,
            health,
            malformed,
            document,
        })
    }

    /// The document that they were read from.
    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Whether they change nothing.
    pub(crate) fn is_faithful(&self) -> bool {
        self.rules.is_empty() && self.health.is_none() && self.malformed.is_none()
    }

    /// The rule for a POST of an id, which is the `nth` one of this id.
    pub(crate) fn post(&self, id: CorrelationId, nth: u32) -> Option<Arc<PostRule>> {
        self.fitting(id)
            .filter_map(|rule| rule.post.as_ref())
            .find(|post| post.first.is_none_or(|first| nth <= first))
            .cloned()
    }

    /// The rule for a look-up of an id, which is the `nth` one of this id.
    pub(crate) fn look_up(&self, id: CorrelationId, nth: u32) -> Option<Arc<LookUpRule>> {
        self.fitting(id)
            .filter_map(|rule| rule.look_up.as_ref())
            .find(|look_up| look_up.first.is_none_or(|first| nth <= first))
            .cloned()
    }

    pub(crate) fn health(&self) -> Option<&PlainRule> {
        self.health.as_ref()
    }

    /// The rule for what is no payment, and for a look-up of what is no id.
    pub(crate) fn malformed(&self) -> Option<&PlainRule> {
        self.malformed.as_ref()
    }

    fn fitting(&self, id: CorrelationId) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.ids.fit(id))
    }
}

/// A common kind of processor, which comes after the document's own rules.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum Preset {
    /// A proxy whose processor is gone.
    DeadProxy,
    /// Whoever asks anything asks too often.
    RateLimited,
}

impl Preset {
    fn document(self) -> Value {
        let reply = match self {
            Self::DeadProxy => json!({ "status": 503 }),
            Self::RateLimited => json!({ "status": 429, "headers": { "Retry-After": "60" } }),
        };
        json!({ "rules": [{ "post": reply, "lookUp": reply }], "health": reply })
    }
}

impl Rule {
    fn read(mut members: Members) -> Result<Self, RulesError> {
        let rule = Self {
            ids: Ids::read(&mut members)?,
            post: members
                .inner("post")?
                .map(PostRule::read)
                .transpose()?
                .map(Arc::new),
            look_up: members
                .inner("lookUp")?
                .map(LookUpRule::read)
                .transpose()?
                .map(Arc::new),
        };
        let missing = members.refused("post", "is missing, and so is lookUp");
        members.end()?;
        if rule.post.is_none() && rule.look_up.is_none() {
            return Err(missing);
        }
        Ok(rule)
    }
}

impl Ids {
    fn read(members: &mut Members) -> Result<Self, RulesError> {
        let listed = members.take::<Vec<String>>("ids")?;
        let listed = listed
            .map(|ids| {
                ids.iter()
                    .map(|id| id.parse().map_err(|error| format!("{id}: {error}")))
                    .collect::<Result<_, _>>()
            })
            .transpose()
            .map_err(|reason: String| members.refused("ids", reason))?;
        let prefix: Option<String> = members.take("prefix")?;
        let share = members.take("share")?;
        let salt: Option<String> = members.take("salt")?;
        if salt.is_some() && share.is_none() {
            return Err(members.refused("salt", "means nothing without share"));
        }
        Ok(Self {
            listed,
            prefix: prefix.unwrap_or_default().to_lowercase(),
            share: share.unwrap_or(Probability::ALWAYS),
            salt: salt.unwrap_or_default(),
        })
    }

    fn fit(&self, id: CorrelationId) -> bool {
        let salted = self.salt.bytes().chain(*id.as_bytes());
        self.listed.as_ref().is_none_or(|ids| ids.contains(&id))
            && (self.prefix.is_empty() || id.to_string().starts_with(&self.prefix))
            && (self.share == Probability::ALWAYS || belongs(salted, self.share))
    }
}

impl PlainRule {
    fn read(mut members: Members) -> Result<Self, RulesError> {
        let rule = Self {
            delay: members.millis("delayMs")?.unwrap_or_default(),
            reply: Reply::read(&mut members)?,
        };
        members.end()?;
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";

    /// The status that a POST or a look-up gets by a rule.
    fn status(document: &str, id: &str, post: bool, nth: u32) -> Option<u16> {
        let rules: Rules = document.parse().unwrap();
        let id = id.parse().unwrap();
        let reply = if post {
            rules.post(id, nth)?.reply.clone()
        } else {
            rules.look_up(id, nth)?.reply.clone()
        };
        reply.status.map(|status| status.as_u16())
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        const RULES: &str = r#"{"rules":[
            {"ids":["4A7901B8-7D26-4D9D-AA19-4DC1C7CF60B3"],"post":{"status":500,"first":2}},
            {"prefix":"4A79","post":{"status":501},"lookUp":{"status":502}},
            {"prefix":"5","share":0,"post":{"status":503}},
            {"post":{"status":504}}]}"#;
        let other = "4a7901b8-7d26-4d9d-aa19-4dc1c7cf60b4";
        let third = "5a7901b8-7d26-4d9d-aa19-4dc1c7cf60b3";
        for (id, post, nth, expected) in [
            (ID, true, 1, Some(500)),
            (ID, true, 2, Some(500)),
            (ID, true, 3, Some(501)),
            (ID, false, 1, Some(502)),
            (other, true, 1, Some(501)),
            (third, true, 1, Some(504)),
            (third, false, 1, None),
        ] {
            assert_eq!(status(RULES, id, post, nth), expected, "{id} {post} {nth}");
        }
    }

    #[test]
    fn rules_of_the_same_salt_split_the_ids_between_them() {
        let rules: Rules = r#"{"rules":[
            {"share":0.1,"post":{"status":400}}, {"share":0.3,"post":{"status":500}},
            {"share":0.5,"salt":"x","lookUp":{}}]}"#
            .parse()
            .unwrap();
        let (mut first, mut second, mut both) = (0, 0, 0);
        for number in 0..10_000_u128 {
            let id = CorrelationId::from_bytes(number.to_be_bytes());
            let status = rules.post(id, 1).and_then(|rule| rule.reply.status);
            match status.map(|status| status.as_u16()) {
                Some(400) => first += 1,
                Some(_) => second += 1,
                None => both += u32::from(rules.look_up(id, 1).is_some()),
            }
        }
        assert!((900..1_100).contains(&first), "{first}");
        assert!((1_800..2_200).contains(&second), "{second}");
        assert!((3_200..3_800).contains(&both), "{both}");
    }

    #[test]
    fn a_preset_comes_after_the_rules() {
        let rules = r#"{"preset":"deadProxy","rules":[{"prefix":"4","post":{}}]}"#;
        assert_eq!(status(rules, ID, true, 1), None);
        assert_eq!(status(rules, ID, false, 1), Some(503));
        let rules = r#"{"preset":"rateLimited","health":{"status":404}}"#;
        assert_eq!(status(rules, ID, true, 1), Some(429));
        let rules: Rules = rules.parse().unwrap();
        let health = rules.health().and_then(|health| health.reply.status);
        assert_eq!(health, Some(hyper::StatusCode::NOT_FOUND));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (document, field) in [
            ("", "the document"),
            ("[]", "the document"),
            (r#"{"rule":[]}"#, "rule"),
            (r#"{"rules":{}}"#, "rules"),
            (r#"{"preset":"dead"}"#, "preset"),
            (r#"{"rules":[{}]}"#, "rules[0].post"),
            (r#"{"rules":[{"pots":{}}]}"#, "rules[0].pots"),
            (r#"{"rules":[{"post":{}},7]}"#, "rules[1]"),
            (r#"{"rules":[{"post":{},"id":1}]}"#, "rules[0].id"),
            (r#"{"rules":[{"post":{},"ids":["1"]}]}"#, "rules[0].ids"),
            (r#"{"rules":[{"post":{},"share":1.1}]}"#, "rules[0].share"),
            (r#"{"rules":[{"post":{},"salt":"a"}]}"#, "rules[0].salt"),
            (r#"{"health":{"first":1}}"#, "health.first"),
            (r#"{"health":{"status":"503"}}"#, "health.status"),
            (r#"{"health":{"status":199}}"#, "health.status"),
            (r#"{"health":{"status":600}}"#, "health.status"),
            (r#"{"health":{"status":null}}"#, "health.status"),
            (r#"{"health":{"delayMs":-1}}"#, "health.delayMs"),
            (r#"{"health":{"delayMs":3600001}}"#, "health.delayMs"),
            (r#"{"health":{"raw":"\u0100"}}"#, "health.raw"),
            (r#"{"health":{"raw":"a","status":200}}"#, "health.status"),
            (r#"{"health":{"raw":"a","ends":"hang"}}"#, "health.ends"),
            (r#"{"health":{"ends":"closed"}}"#, "health.ends"),
            (r#"{"health":{"ends":"close","body":""}}"#, "health.body"),
            (
                r#"{"health":{"ends":"hang","againAfterMs":0}}"#,
                "health.againAfterMs",
            ),
            (r#"{"health":{"headers":{"a b":"c"}}}"#, "health.headers"),
            (r#"{"health":{"headers":{"a":"b\n"}}}"#, "health.headers"),
            (
                r#"{"health":{"headers":{"Content-Length":"1"}}}"#,
                "health.headers",
            ),
            (r#"{"health":{"contentType":"\n"}}"#, "health.contentType"),
            (r#"{"health":{"bodyBytes":1048577}}"#, "health.bodyBytes"),
            (r#"{"malformed":{"stores":true}}"#, "malformed.stores"),
        ] {
            let error = document.parse::<Rules>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{field} ")),
                "{document}: {error}"
            );
        }
    }

    #[test]
    fn what_is_wrong_in_a_rule_is_named() {
        for (rule, field) in [
            (r#""post":{"first":-1}"#, "post.first"),
            (r#""post":{"ifHeld":"422"}"#, "post.ifHeld"),
            (r#""post":{"ifHeld":100}"#, "post.ifHeld"),
            (r#""post":{"ifHeld":true}"#, "post.ifHeld"),
            (r#""post":{"ifHeld":"same"}"#, "post.ifHeld"),
            (
                r#""post":{"stores":false,"storesAfterMs":1}"#,
                "post.storesAfterMs",
            ),
            (
                r#""post":{"status":400,"storesAfterMs":1}"#,
                "post.storesAfterMs",
            ),
            (r#""post":{"lagMs":1}"#, "post.lagMs"),
            (r#""lookUp":{"lag":1}"#, "lookUp.lag"),
            (r#""lookUp":{"instant":"iso"}"#, "lookUp.instant"),
            (r#""lookUp":{"amount":1}"#, "lookUp.amount"),
            (r#""lookUp":{"adds":[]}"#, "lookUp.adds"),
            (r#""lookUp":{"wrappedIn":1}"#, "lookUp.wrappedIn"),
            (r#""lookUp":{"ifAbsent":20}"#, "lookUp.ifAbsent"),
            (r#""lookUp":{"missesEvery":0}"#, "lookUp.missesEvery"),
        ] {
            let document = format!("{{\"rules\":[{{{rule}}}]}}");
            let error = document.parse::<Rules>().unwrap_err().to_string();
            let expected = format!("rules[0].{field} ");
            assert!(error.starts_with(&expected), "{document}: {error}");
        }
    }
}
