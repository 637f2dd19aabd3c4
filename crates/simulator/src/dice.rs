use serde::{Deserialize, Serialize};

/// How often something happens: from 0 (never) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

/// The number is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a probability is a number from 0 to 1, not {0}")]
pub struct ProbabilityError(f64);

impl Probability {
    /// It never happens.
    pub const NEVER: Self = Self(0.0);
    /// It always happens.
    pub const ALWAYS: Self = Self(1.0);
}

impl TryFrom<f64> for Probability {
    type Error = ProbabilityError;

    fn try_from(value: f64) -> Result<Self, ProbabilityError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(ProbabilityError(value))
        }
    }
}

impl From<Probability> for f64 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

/// A small generator of random numbers (SplitMix64): its whole state is its seed.
#[derive(Default)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn hit(&mut self, probability: Probability) -> bool {
        // What never happens costs nothing, and does not move the dice.
        probability > Probability::NEVER && {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            share(self.0) < probability.0
        }
    }
}

/// Whether some bytes belong to a share of all: always the same answer for the same bytes,
/// and whoever belongs to a share belongs to every larger one.
pub(crate) fn belongs(bytes: impl IntoIterator<Item = u8>, probability: Probability) -> bool {
    // FNV-1a; its high bits alone would not be even enough.
    let hash = bytes.into_iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    share(hash) < probability.0
}

/// Uniform in 0..1, of 53 mixed bits: what a double holds exactly.
fn share(mut bits: u64) -> f64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_as_large_as_told_and_part_of_every_larger_one() {
        let members = |salt: u8, probability: f64| -> Vec<u32> {
            let probability = Probability::try_from(probability).unwrap();
            (0..10_000_u32)
                .filter(|number| {
                    let bytes = number.to_be_bytes();
                    belongs([salt].into_iter().chain(bytes), probability)
                })
                .collect()
        };
        let (small, large) = (members(0, 0.05), members(0, 0.5));
        assert!((400..600).contains(&small.len()), "{}", small.len());
        assert!((4_700..5_300).contains(&large.len()), "{}", large.len());
        assert!(small.iter().all(|number| large.contains(number)));
        assert_ne!(small, members(1, 0.05), "another salt, another share");
        assert_eq!(members(0, 0.0).len(), 0);
        assert_eq!(members(0, 1.0).len(), 10_000);
    }
}
