use std::fmt;

use clap::ValueEnum;

/// One thing that is tried. The order is that in which they are made and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Check {
    /// A look-up of an id that nobody posted is answered with 404, twice.
    Unknown,
    /// A look-up of a malformed id is refused.
    MalformedId,
    /// A payment is accepted.
    Post,
    /// How long the answers to payments take.
    Latency,
    /// A held payment is found, and the answer can be read.
    LookUp,
    /// How long after the answer to its POST a payment is found.
    Lag,
    /// It is found with the amount that was sent.
    Amount,
    /// It is found with the instant that was sent.
    RequestedAt,
    /// A payment that was found once is found by every later look-up.
    Steady,
    /// The same payment sent again is still one payment.
    Duplicate,
    /// The same id with another amount changes nothing.
    OtherAmount,
    /// A malformed payment is refused and not stored.
    Malformed,
    /// Each of several requests on one connection gets its own answer, once.
    Connections,
    /// The answer to the request for its health.
    Health,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rating {
    /// As the contract has it.
    Fits,
    /// Not as the contract has it, but nothing is charged twice, lost or pinned by it.
    Tolerated,
    /// It breaks the contract.
    Differs,
    /// What came before did not allow to see it.
    CannotTell,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub check: Check,
    /// What it came to.
    pub rating: Rating,
    /// What the processor did.
    pub seen: String,
    /// What Feeway concludes or does then.
    pub feeway: String,
}

impl Check {
    /// Those on which it rests whether a "not found" can be believed.
    pub(crate) const OF_THE_LOOK_UP: [Self; 5] = [
        Self::Unknown,
        Self::LookUp,
        Self::Lag,
        Self::Amount,
        Self::Steady,
    ];

    /// Those that look at one payment, or at what comes after it.
    const OF_A_PAYMENT: [Self; 10] = [
        Self::Post,
        Self::Latency,
        Self::LookUp,
        Self::Lag,
        Self::Amount,
        Self::RequestedAt,
        Self::Steady,
        Self::Duplicate,
        Self::OtherAmount,
        Self::Connections,
    ];

    /// Whether it takes a payment.
    pub(crate) fn needs_payment(self) -> bool {
        Self::OF_A_PAYMENT.contains(&self)
    }

    /// Whether it posts anything.
    pub(crate) fn posts(self) -> bool {
        self.needs_payment() || self == Self::Malformed
    }

    pub(crate) fn fits(self, seen: impl Into<String>, feeway: impl Into<String>) -> Finding {
        self.rated(Rating::Fits, seen, feeway)
    }

    pub(crate) fn tolerated(self, seen: impl Into<String>, feeway: impl Into<String>) -> Finding {
        self.rated(Rating::Tolerated, seen, feeway)
    }

    pub(crate) fn differs(self, seen: impl Into<String>, feeway: impl Into<String>) -> Finding {
        self.rated(Rating::Differs, seen, feeway)
    }

    pub(crate) fn cannot_tell(self, seen: impl Into<String>) -> Finding {
        self.rated(Rating::CannotTell, seen, "")
    }

    pub(crate) fn rated(
        self,
        rating: Rating,
        seen: impl Into<String>,
        feeway: impl Into<String>,
    ) -> Finding {
        Finding {
            check: self,
            rating,
            seen: seen.into(),
            feeway: feeway.into(),
        }
    }
}

/// As `--only` takes it.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Rating {
    /// Whether Feeway can work with it.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Fits | Self::Tolerated)
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fits => "fits",
            Self::Tolerated => "tolerated",
            Self::Differs => "differs",
            Self::CannotTell => "cannot tell",
        })
    }
}
