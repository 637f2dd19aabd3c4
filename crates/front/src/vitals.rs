//! What a front knows of the servers it depends on.

use std::fmt;

/// How the servers that a front depends on are, as far as it knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vitals {
    /// Redis can be reached.
    pub redis_up: bool,
    /// NATS can be reached.
    pub nats_up: bool,
    /// This machine's clock less Redis's in microseconds, once that is known.
    pub clock_offset_micros: Option<i64>,
}

/// As members of a JSON object.
impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = |up| if up { "up" } else { "away" };
        let (redis, nats) = (state(self.redis_up), state(self.nats_up));
        write!(f, r#""redis":"{redis}","nats":"{nats}","clockOffsetMs":"#)?;
        match self.clock_offset_micros {
            Some(micros) => write!(f, "{:.3}", micros as f64 / 1e3),
            None => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_members_of_an_object() {
        let mut vitals = Vitals::default();
        assert_eq!(
            vitals.to_string(),
            r#""redis":"away","nats":"away","clockOffsetMs":null"#
        );
        vitals.redis_up = true;
        vitals.clock_offset_micros = Some(-1_234_567);
        assert_eq!(
            vitals.to_string(),
            r#""redis":"up","nats":"away","clockOffsetMs":-1234.567"#
        );
    }
}
