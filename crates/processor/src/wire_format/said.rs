use std::fmt;

use feeway_domain::CorrelationId;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What the JSON object of an answer says of a payment, itself or in an object one level
/// below: many processors wrap theirs, as in `{"data":{…}}`. It is read in one pass, and
/// nothing is allocated unless a text has an escape in it.
pub(super) struct Said {
    ours: CorrelationId,
    /// It failed, is pending, or the like.
    pub(super) denies: bool,
    /// It has our id.
    pub(super) names_us: bool,
    /// It has the id of another payment.
    pub(super) names_another: bool,
    /// Its id is none that a payment of ours could have.
    pub(super) names_none_of_ours: bool,
}

/// The words with which `status` says that the payment is not stored, or not yet.
const DENIALS: [&str; 5] = ["failed", "declined", "rejected", "error", "pending"];

impl Said {
    /// Nothing when it is not one JSON object.
    pub(super) fn read(text: &str, ours: CorrelationId) -> Option<Self> {
        let mut said = Self {
            ours,
            denies: false,
            names_us: false,
            names_another: false,
            names_none_of_ours: false,
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let whole = Members {
            said: &mut said,
            is_below: false,
        };
        json.deserialize_map(whole).ok()?;
        json.end().ok()?;
        Some(said)
    }

    fn text(&mut self, member: Member, text: &str) {
        match member {
            Member::Status => {
                self.denies |= DENIALS.iter().any(|word| word.eq_ignore_ascii_case(text));
            }
            Member::CorrelationId => match text.parse::<CorrelationId>() {
                Ok(id) if id == self.ours => self.names_us = true,
                Ok(_) => self.names_another = true,
                Err(_) => self.names_none_of_ours = true,
            },
            Member::Success | Member::Other => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Member {
    Status,
    Success,
    CorrelationId,
    Other,
}

/// Reads an object, the whole one or one below it.
struct Members<'a> {
    said: &'a mut Said,
    is_below: bool,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_key_seed(MemberName)? {
            if self.is_below && member == Member::Other {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(MemberValue {
                said: &mut *self.said,
                is_below: self.is_below,
                member,
            })?;
        }
        Ok(())
    }
}

struct MemberName;

impl<'de> DeserializeSeed<'de> for MemberName {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Member, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for MemberName {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Member, E> {
        Ok(match name {
            "status" => Member::Status,
            "success" => Member::Success,
            "correlationId" => Member::CorrelationId,
            _ => Member::Other,
        })
    }
}

/// Reads the value of a member; most say nothing.
struct MemberValue<'a> {
    said: &'a mut Said,
    is_below: bool,
    member: Member,
}

impl<'de> DeserializeSeed<'de> for MemberValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MemberValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.said.denies |= self.member == Member::Success && !value;
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.said.text(self.member, text);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if !self.is_below {
            let below = Members {
                said: self.said,
                is_below: true,
            };
            return below.visit_map(map);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
}
