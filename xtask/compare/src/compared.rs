//! What is compared in each part, whomever Feeway is beside.

use self::Against::{Difference, Ratio};
use super::figures::Bound::{self, AtLeast, AtMost};
use super::measure::Measured;
use super::options::Part;
use super::verdict::Good;

/// A figure of a load.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) of: fn(&Measured) -> f64,
    pub(super) good: Good,
}

const P50: Figure = Figure {
    name: "p50 ms",
    of: |measured| measured.load.p50_us / 1e3,
    good: Good::Less,
};

const P99: Figure = Figure {
    name: "p99 ms",
    of: |measured| measured.load.p99_us / 1e3,
    good: Good::Less,
};

const PER_SECOND: Figure = Figure {
    name: "requests/s",
    of: |measured| measured.load.per_second(),
    good: Good::More,
};

/// For 10 000 payments.
const CPU: Figure = Figure {
    name: "CPU s",
    of: |measured| measured.usage.own(),
    good: Good::Less,
};

/// The floor settles nothing.
pub(super) const SETTLED: Figure = Figure {
    name: "settled/s until the last",
    of: |measured| {
        let end = measured.end.as_ref();
        end.map_or(0.0, |end| end.settled_per_second)
    },
    good: Good::More,
};

/// How Feeway is put beside another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// Feeway divided by the other.
    Ratio,
    /// Feeway less the other.
    Difference,
}

impl Against {
    pub(super) fn put(self, feeway: f64, other: f64) -> f64 {
        match self {
            Self::Ratio => feeway / other,
            Self::Difference => feeway - other,
        }
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Ratio => "×",
            Self::Difference => "+",
        }
    }
}

/// A figure of a part, and its bound beside the floor.
pub(super) type Row = (Part, Figure, Against, Option<Bound>);

/// Within the quotas of containers.
pub(super) const IN_CONTAINERS: &[Row] = &[
    (Part::Paced, P50, Ratio, None),
    (Part::Paced, P99, Ratio, None),
    (Part::Paced, CPU, Ratio, None),
    (Part::Preview, P50, Ratio, None),
    (Part::Preview, P99, Ratio, Some(AtMost(1.5))),
    (Part::Preview, CPU, Ratio, None),
];

/// On the whole machine.
pub(super) const COMPARED: &[Row] = &[
    (Part::Paced, P50, Difference, Some(AtMost(0.10))),
    (Part::Paced, P99, Difference, Some(AtMost(0.20))),
    (Part::Paced, CPU, Ratio, None),
    (Part::Preview, P50, Ratio, None),
    (Part::Preview, P99, Ratio, Some(AtMost(1.25))),
    (Part::Preview, CPU, Ratio, None),
    (Part::Failing, PER_SECOND, Ratio, Some(AtLeast(0.6))),
    (Part::Failing, P50, Ratio, None),
    (Part::Failing, P99, Ratio, None),
    (Part::Failing, CPU, Ratio, None),
    (Part::Healthy, PER_SECOND, Ratio, Some(AtLeast(0.3))),
    (Part::Healthy, P50, Ratio, None),
    (Part::Healthy, P99, Ratio, None),
    (Part::Healthy, CPU, Ratio, None),
    (Part::Memory, PER_SECOND, Ratio, Some(AtLeast(0.8))),
    (Part::Memory, P50, Ratio, None),
    (Part::Memory, P99, Ratio, None),
    (Part::Memory, CPU, Ratio, None),
];

/// What the floor has no part in, and an old build has.
pub(super) const OF_BUILDS: &[Row] = &[
    (Part::Throughput, SETTLED, Ratio, None),
    (Part::Throughput, P50, Ratio, None),
    (Part::Throughput, P99, Ratio, None),
    (Part::Throughput, CPU, Ratio, None),
];
