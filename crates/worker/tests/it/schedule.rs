mod forgetful;

use std::collections::BTreeMap;
use std::time::Duration;

use feeway_domain::{CorrelationId, Money, Payment};

use self::forgetful::{forgets, repeats};
use crate::front::ABSENCE_AFTER;
use crate::scripted_processor::{Mood, Nature};

/// How long payments come in and faults begin.
pub(crate) const SPAN: Duration = Duration::from_secs(60);

/// Every run meets at least so many.
pub(crate) const FAULTS_MIN: usize = 8;

/// What happens in one run, all of it drawn from one seed.
pub(crate) struct Schedule {
    pub(crate) orders: Vec<Order>,
    pub(crate) faults: Vec<Planned>,
    pub(crate) patience: Duration,
    pub(crate) natures: [Nature; 2],
    /// The second front's clock against the first's, in milliseconds.
    pub(crate) skew_ms: i64,
}

/// A payment that the shop posts.
pub(crate) struct Order {
    pub(crate) at: Duration,
    pub(crate) payment: Payment,
    pub(crate) front: usize,
    /// Posted to both fronts at the same moment.
    pub(crate) twin: bool,
    /// The client hangs up this soon after posting.
    pub(crate) hangs_up: Option<Duration>,
    /// The same is posted again to the other front this long after it was kept.
    pub(crate) again: Option<Duration>,
}

/// A processor answers 503 to whatever it is asked, from one moment of the run to another.
pub(crate) struct DeadProxy {
    pub(crate) place: usize,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

pub(crate) struct Planned {
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    FrontCrashes(usize),
    FrontPauses(usize),
    /// A front is told to stop.
    FrontLeaves(usize),
    /// A front comes back with another URL for a processor, of the same ledger or of another.
    FrontMoves {
        front: usize,
        place: usize,
        vouched: bool,
    },
    /// Every front comes back with the URL of another ledger for a processor.
    AllMove(usize),
    StoreAway,
    StoreLate,
    StoreForgets,
    /// An operator reopens whatever is rejected.
    Reopening,
    /// An operator has the fronts stand back from a processor and decides what is pinned there.
    OperatorDecides(usize),
    Processor(usize, Mood),
}

impl Fault {
    /// The name under which it is counted.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::FrontCrashes(_) => "front crashes",
            Self::FrontPauses(_) => "front pauses",
            Self::FrontLeaves(_) => "front leaves",
            Self::FrontMoves { vouched: true, .. } => "front moves, vouched",
            Self::FrontMoves { vouched: false, .. } => "front moves, not vouched",
            Self::AllMove(_) => "all fronts move",
            Self::StoreAway => "store away",
            Self::StoreLate => "store carries out late",
            Self::StoreForgets => "store forgets",
            Self::Reopening => "operator reopens",
            Self::OperatorDecides(_) => "operator decides",
            Self::Processor(_, mood) => match mood {
                Mood::Fine => "fine",
                Mood::Slow(_) => "slow",
                Mood::Failing => "500",
                Mood::Limiting(_) => "429",
                Mood::Declining => "400",
                Mood::Refusing => "refusal",
                Mood::Locked => "401",
                Mood::BadGateway => "502",
                Mood::Ambiguous => "2xx that is no yes",
                Mood::Hanging => "hanging",
                Mood::DeadProxy => "503 to everything",
                Mood::ResetBeforeInsert => "reset before insert",
                Mood::ResetAfterInsert => "reset after insert",
                Mood::HangAfterInsert => "hang after insert",
                Mood::InsertLate => "insert after we hung up",
                Mood::ErrorAfterInsert => "500 or 400 after insert",
                Mood::Gone => "gone for good",
            },
        }
    }
}

impl Schedule {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut orders: Vec<Order> = (0..rng.usize(40..60)).map(|_| order(&mut rng)).collect();
        orders.sort_by_key(|order| order.at);
        let mut faults = Vec::new();
        for _ in 0..rng.usize(FAULTS_MIN..14) {
            let planned = planned(&mut rng);
            faults.extend(trouble_before(&planned, &mut rng));
            faults.push(planned);
        }
        let mut moves = fastrand::Rng::with_seed(seed ^ 0x6d6f_7665);
        for _ in 0..[0, 0, 1, 1, 2][moves.usize(..5)] {
            let planned = planned_move(&mut moves);
            faults.extend(trouble_before(&planned, &mut moves));
            faults.push(planned);
        }
        faults.extend(forgets(seed, &faults));
        while faults.len() < FAULTS_MIN {
            let fault = Fault::Processor(rng.usize(..2), mood(&mut rng));
            faults.push(Planned {
                at: moment(&mut rng),
                lasts: secs(&mut rng, 25),
                fault,
            });
        }
        faults.extend(reopenings(seed, &faults));
        faults.sort_by_key(|planned| planned.at);
        repeats(seed, &mut orders, &faults);
        orders.sort_by_key(|order| order.at);
        Self {
            orders,
            faults,
            patience: Duration::from_secs([0, 2, 60][rng.usize(..3)]),
            skew_ms: far_off(seed).unwrap_or(rng.i64(-2000..=2000)),
            natures: [nature(&mut rng), nature(&mut rng)],
        }
    }

    /// When a processor is nothing but a dead proxy for all the time, and no front goes or comes.
    pub(crate) fn dead_proxies(&self) -> Vec<DeadProxy> {
        let is_disturbed = |place, from, until| {
            self.faults.iter().any(|other| {
                let ends_before = other.at + other.lasts < from;
                match other.fault {
                    Fault::Processor(_, Mood::DeadProxy) if other.at == from => false,
                    Fault::Processor(at, _) => at == place && other.at < until && !ends_before,
                    Fault::FrontCrashes(_)
                    | Fault::FrontPauses(_)
                    | Fault::FrontLeaves(_)
                    | Fault::FrontMoves { .. }
                    | Fault::AllMove(_)
                    | Fault::OperatorDecides(_) => other.at < until,
                    Fault::StoreAway | Fault::StoreLate | Fault::StoreForgets => {
                        other.at < until && !ends_before
                    }
                    Fault::Reopening => false,
                }
            })
        };
        let dead = self.faults.iter().filter_map(|planned| {
            let Fault::Processor(place, Mood::DeadProxy) = planned.fault else {
                return None;
            };
            let (from, until) = (planned.at, planned.at + planned.lasts);
            (!is_disturbed(place, from, until)).then_some(DeadProxy { place, from, until })
        });
        dead.collect()
    }

    /// How often each kind of fault happens.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for planned in &self.faults {
            *kinds.entry(planned.fault.kind()).or_default() += 1;
        }
        *kinds.entry("twin posts").or_default() += self.orders.iter().filter(|o| o.twin).count();
        let hang_up = self.orders.iter().filter(|o| o.hangs_up.is_some());
        *kinds.entry("client hangs up").or_default() += hang_up.count();
        for (kind, ms) in [("clocks apart", 1000), ("a clock is wrong", 2000)] {
            *kinds.entry(kind).or_default() += usize::from(self.skew_ms.abs() > ms);
        }
        let mut count = |kind, is_so: fn(&Nature) -> bool| {
            *kinds.entry(kind).or_default() += self.natures.iter().filter(|n| is_so(n)).count();
        };
        count("look-up lags", |nature| !nature.lag.is_zero());
        count("look-up lags for long", |nature| nature.lag > ABSENCE_AFTER);
        count("declines some", |nature| nature.declines > 0);
        count("fails some", |nature| nature.poisons > 0);
        kinds
    }
}

/// By how much one front's clock is wrong, of every eighth seed.
fn far_off(seed: u64) -> Option<i64> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0c10c);
    let ms = rng.i64(10_000..=10 * 24 * 3_600_000) * [-1, 1][rng.usize(..2)];
    (rng.u8(..8) == 0).then_some(ms)
}

/// What an operator decided within the last second is nobody's to repeat when the store forgets
/// it.
fn reopenings(seed: u64, faults: &[Planned]) -> Vec<Planned> {
    const APART: Duration = Duration::from_secs(2);
    // Draws of its own, so that no schedule changes otherwise.
    let mut rng = fastrand::Rng::with_seed(!seed);
    let moments: Vec<Duration> = (0..rng.usize(..4))
        .map(|_| Duration::from_millis(rng.u64(10_000..95_000)))
        .collect();
    let is_apart = |at: Duration| {
        let mut forgets = faults
            .iter()
            .filter(|planned| planned.fault == Fault::StoreForgets);
        forgets.all(|forgets| at.abs_diff(forgets.at) > APART)
    };
    let reopenings = moments.into_iter().filter(|at| is_apart(*at));
    let reopenings = reopenings.map(|at| Planned {
        at,
        lasts: Duration::ZERO,
        fault: Fault::Reopening,
    });
    reopenings.collect()
}

fn order(rng: &mut fastrand::Rng) -> Order {
    let mut id = [0; 16];
    rng.fill(&mut id);
    let amount = Money::from_cents(rng.i64(1..100_000)).expect("within bounds");
    Order {
        at: moment(rng),
        payment: Payment {
            id: CorrelationId::from_bytes(id),
            amount,
        },
        front: rng.usize(..2),
        twin: rng.u8(..100) < 10,
        hangs_up: (rng.u8(..100) < 5).then(|| Duration::from_micros(rng.u64(..3000))),
        again: None,
    }
}

/// Half of what happens falls into a few busy stretches, so that faults meet payments.
fn moment(rng: &mut fastrand::Rng) -> Duration {
    let span = u64::try_from(SPAN.as_millis()).expect("a minute");
    if rng.bool() {
        Duration::from_millis(rng.u64(..span))
    } else {
        Duration::from_millis(span * rng.u64(1..4) / 4 + rng.u64(..300))
    }
}

fn secs(rng: &mut fastrand::Rng, longest: u64) -> Duration {
    Duration::from_millis(rng.u64(50..longest * 1000))
}

fn planned(rng: &mut fastrand::Rng) -> Planned {
    let (fault, lasts) = match rng.u8(..20) {
        0 | 1 => (Fault::FrontCrashes(rng.usize(..2)), secs(rng, 15)),
        2 | 3 => (Fault::FrontPauses(rng.usize(..2)), secs(rng, 35)),
        4 => (Fault::StoreAway, secs(rng, 30)),
        5 => (Fault::StoreLate, secs(rng, 15)),
        6 => (Fault::StoreForgets, Duration::ZERO),
        7 | 8 => (Fault::OperatorDecides(rng.usize(..2)), secs(rng, 15)),
        _ => (Fault::Processor(rng.usize(..2), mood(rng)), secs(rng, 25)),
    };
    Planned {
        at: moment(rng),
        lasts,
        fault,
    }
}

/// Drawn beside all others, so that these are the same with and without it.
fn planned_move(rng: &mut fastrand::Rng) -> Planned {
    let place = rng.usize(..2);
    let fault = match rng.u8(..3) {
        0 => Fault::AllMove(place),
        vouched => Fault::FrontMoves {
            front: rng.usize(..2),
            place,
            vouched: vouched == 1,
        },
    };
    Planned {
        at: moment(rng),
        lasts: secs(rng, 15),
        fault,
    }
}

/// A front that is paused or crashes with nothing in hand proves little: half of the time
/// the cheap processor has begun to fail a moment before, so that payments wait. And where an
/// operator is to decide, something has to be pinned.
fn trouble_before(planned: &Planned, rng: &mut fastrand::Rng) -> Option<Planned> {
    let (fault, before_ms) = match planned.fault {
        Fault::FrontPauses(_)
        | Fault::FrontCrashes(_)
        | Fault::FrontLeaves(_)
        | Fault::FrontMoves { .. }
        | Fault::AllMove(_) => (Fault::Processor(0, Mood::Failing), 1000),
        Fault::OperatorDecides(place) => (Fault::Processor(place, doubtful(rng)), 9000),
        Fault::StoreAway
        | Fault::StoreLate
        | Fault::StoreForgets
        | Fault::Reopening
        | Fault::Processor(..) => {
            return None;
        }
    };
    rng.bool().then(|| Planned {
        at: planned
            .at
            .saturating_sub(Duration::from_millis(rng.u64(..before_ms))),
        lasts: secs(rng, 20),
        fault,
    })
}

/// A mood that leaves payments in doubt.
fn doubtful(rng: &mut fastrand::Rng) -> Mood {
    match rng.u8(..7) {
        0 => Mood::BadGateway,
        1 => Mood::ResetBeforeInsert,
        2 => Mood::ResetAfterInsert,
        3 => Mood::HangAfterInsert,
        4 => Mood::InsertLate,
        5 => Mood::Ambiguous,
        _ => Mood::Hanging,
    }
}

fn mood(rng: &mut fastrand::Rng) -> Mood {
    match rng.u8(..17) {
        0 => Mood::Slow(Duration::from_millis(rng.u64(10..8_000))),
        1 | 2 => Mood::Failing,
        3 => Mood::Limiting([0, 0, 1, 20][rng.usize(..4)]),
        4 => Mood::Refusing,
        5 => Mood::BadGateway,
        6 => Mood::ResetBeforeInsert,
        7 => Mood::ResetAfterInsert,
        8 => Mood::HangAfterInsert,
        9 => Mood::InsertLate,
        10 => Mood::Declining,
        11 => Mood::Locked,
        12 => Mood::Ambiguous,
        13 => Mood::Hanging,
        14 => Mood::DeadProxy,
        _ => Mood::ErrorAfterInsert,
    }
}

/// Half of the processors look things up in books that lag, a few for longer than an absence
/// has to last; half decline some payments for good, and of those that do not some always fail
/// with a few.
fn nature(rng: &mut fastrand::Rng) -> Nature {
    let lag = match rng.u8(..20) {
        0..8 => Duration::ZERO,
        8..18 => Duration::from_millis(rng.u64(..14_500)),
        _ => Duration::from_millis(rng.u64(16_000..55_000)),
    };
    let (declines, status) = match rng.u8(..6) {
        0..2 => (10, [400, 402, 410][rng.usize(..3)]),
        2 => (10, [409, 422][rng.usize(..2)]),
        _ => (0, 402),
    };
    Nature {
        lag,
        declines,
        status,
        poisons: if declines == 0 && rng.bool() { 4 } else { 0 },
        off_micros: 0,
    }
}
