//! What a front knows of the servers it depends on.

use std::fmt;

use feeway_health::NatsFault;

use crate::problem::escaped;

/// The state of the servers that a front depends on, as far as it knows.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// Why no new payments are accepted, if they are not and it is known.
    pub refusal: Option<String>,
    /// The reason is such that nothing at all is started.
    pub stands_still: bool,
    /// The reason concerns this front alone: others should get new payments.
    pub is_unfit: bool,
    /// Redis can be reached.
    pub redis_up: bool,
    /// Why NATS cannot be used, if it cannot.
    pub nats_fault: Option<NatsFault>,
    /// This machine's clock less Redis's in microseconds, once that is known.
    pub clock_offset_micros: Option<i64>,
}

/// As members of a JSON object.
impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            None => f.write_str(r#""accepting":true,"#)?,
            Some(why) => write!(f, r#""accepting":false,"reason":"{}","#, escaped(why))?,
        }
        let redis = if self.redis_up { "up" } else { "away" };
        write!(
            f,
            r#""redis":"{redis}","nats":"{}","#,
            nats(self.nats_fault)
        )?;
        if let Some(why) = self.nats_fault {
            write!(f, r#""natsReason":"NATS {why}","#)?;
        }
        f.write_str(r#""clockOffsetMs":"#)?;
        match self.clock_offset_micros {
            Some(micros) => write!(f, "{:.3}", micros as f64 / 1e3),
            None => f.write_str("null"),
        }
    }
}

/// One word for how NATS is.
fn nats(fault: Option<NatsFault>) -> &'static str {
    match fault {
        None => "up",
        Some(NatsFault::Away | NatsFault::Refused) => "away",
        Some(NatsFault::SubscriptionDenied | NatsFault::PublicationDenied | NatsFault::Silent) => {
            "unusable"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitals_are_written_as_members_of_a_json_object() {
        let mut vitals = Vitals {
            nats_fault: Some(NatsFault::Away),
            ..Vitals::default()
        };
        assert_eq!(
            vitals.to_string(),
            r#""accepting":true,"redis":"away","nats":"away","natsReason":"NATS cannot be reached","clockOffsetMs":null"#
        );
        vitals.redis_up = true;
        vitals.clock_offset_micros = Some(-1_234_567);
        vitals.nats_fault = None;
        assert_eq!(
            vitals.to_string(),
            r#""accepting":true,"redis":"up","nats":"up","clockOffsetMs":-1234.567"#
        );
        vitals.nats_fault = Some(NatsFault::SubscriptionDenied);
        assert_eq!(
            vitals.to_string(),
            r#""accepting":true,"redis":"up","nats":"unusable","natsReason":"NATS does not allow this process to subscribe to feeway.health.*","clockOffsetMs":-1234.567"#
        );
        vitals.refusal = Some("it says \"no\"".to_owned());
        let text = vitals.to_string();
        let refused = r#""accepting":false,"reason":"it says \"no\"","redis""#;
        assert!(text.starts_with(refused), "{text}");
    }
}
