use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;

use super::members::{Members, RulesError};
use super::reply_members::status;
use crate::reply::Reply;

/// What becomes of a POST; by default what a faithful processor does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PostRule {
    /// Only for so many POSTs of an id.
    pub(crate) first: Option<u32>,
    /// From the arrival to the answer; left open, it is the switch's.
    pub(crate) delay: Option<Duration>,
    /// Whether the payment is stored.
    pub(crate) stores: bool,
    /// From the arrival to storing; left open, it is stored when it is answered.
    pub(crate) stores_after: Option<Duration>,
    /// What an id gets that is held already.
    pub(crate) held: IfHeld,
    /// What is answered.
    pub(crate) reply: Reply,
}

/// What an id gets that is held already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfHeld {
    /// This status and a message.
    Status(StatusCode),
    /// What the others get.
    SameRule,
    /// What the others get, and it takes the place of the one that is held.
    Replaces,
}

impl Default for PostRule {
    fn default() -> Self {
        Self {
            first: None,
            delay: None,
            stores: true,
            stores_after: None,
            held: IfHeld::Status(StatusCode::UNPROCESSABLE_ENTITY),
            reply: Reply::default(),
        }
    }
}

impl PostRule {
    pub(super) fn read(mut members: Members) -> Result<Self, RulesError> {
        let usual = Self::default();
        let reply = Reply::read(&mut members)?;
        let says_no = reply.status.is_some_and(|status| !status.is_success());
        let rule = Self {
            first: members.take("first")?,
            delay: members.millis("delayMs")?,
            stores: members.take("stores")?.unwrap_or(!says_no),
            stores_after: members.millis("storesAfterMs")?,
            held: if_held(&mut members)?.unwrap_or(usual.held),
            reply,
        };
        if rule.stores_after.is_some() && !rule.stores {
            return Err(members.refused("storesAfterMs", "means nothing unless it stores"));
        }
        members.end()?;
        Ok(rule)
    }
}

fn if_held(members: &mut Members) -> Result<Option<IfHeld>, RulesError> {
    const NAME: &str = "ifHeld";
    let Some(Value::String(word)) = members.peek(NAME) else {
        return Ok(status(members, NAME)?.map(IfHeld::Status));
    };
    let held = match word.as_str() {
        "sameRule" => IfHeld::SameRule,
        "replaces" => IfHeld::Replaces,
        _ => {
            return Err(members.refused(NAME, "is a status, \"sameRule\" or \"replaces\""));
        }
    };
    members.take::<Value>(NAME)?;
    Ok(Some(held))
}
