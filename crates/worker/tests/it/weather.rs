use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feeway_domain::{CorrelationId, LAPSE};
use tokio::time::Instant;

/// What the store does to those who use it.
#[derive(Clone)]
pub(crate) struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    away: bool,
    late: bool,
    dawn: Instant,
    /// When it forgot.
    lapses: Vec<Instant>,
    /// Payments that a front repeated when the others did not wait for it any longer.
    excused: BTreeSet<CorrelationId>,
    rng: fastrand::Rng,
    /// Of its own, so that the rest is the same with and without it.
    repetitions: fastrand::Rng,
}

/// What becomes of one command.
pub(crate) enum Fate {
    Away,
    Done {
        after: Duration,
    },
    /// No reply; carried out after this long, if at all.
    Lost {
        carried_out: Option<Duration>,
    },
}

impl Weather {
    pub(crate) fn fair(seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self(Arc::new(Mutex::new(Sky {
            away: false,
            late: false,
            dawn: Instant::now(),
            lapses: Vec::new(),
            excused: BTreeSet::new(),
            rng,
            repetitions: fastrand::Rng::with_seed(!seed),
        })))
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    pub(crate) fn set_late(&self, late: bool) {
        self.0.lock().unwrap().late = late;
    }

    pub(crate) fn forgot(&self) {
        self.0.lock().unwrap().lapses.push(Instant::now());
    }

    pub(crate) fn dawn(&self) -> Instant {
        self.0.lock().unwrap().dawn
    }

    /// How often it forgot.
    pub(crate) fn lapses(&self) -> u64 {
        self.0.lock().unwrap().lapses.len() as u64
    }

    /// How long a front needs to connect anew.
    pub(crate) fn way_back(&self) -> Duration {
        let rng = &mut self.0.lock().unwrap().repetitions;
        match rng.u8(..10) {
            0 => Duration::from_millis(rng.u64(..4_000)),
            _ => Duration::from_millis(rng.u64(..1_000)),
        }
    }

    /// What becomes of one write that is repeated.
    pub(crate) fn fate_of_repetition(&self) -> Fate {
        let mut sky = self.0.lock().unwrap();
        let is_away = sky.away;
        let rng = &mut sky.repetitions;
        match rng.u8(..100) {
            _ if is_away => Fate::Away,
            0..3 => Fate::Away,
            _ => Fate::Done {
                after: Duration::from_micros(rng.u64(50..900)),
            },
        }
    }

    /// Whether somebody who has not been there since so many lapses was silent for so long in one
    /// life of the store that nobody waits any longer.
    pub(crate) fn is_late_since(&self, lapses: u64) -> bool {
        let sky = self.0.lock().unwrap();
        let since = usize::try_from(lapses).unwrap_or(usize::MAX);
        let mut began = sky.lapses.iter().skip(since).copied().collect::<Vec<_>>();
        began.push(Instant::now());
        began.windows(2).any(|run| run[1] - run[0] >= LAPSE)
    }

    /// A payment that may be charged twice, and then is booked as that.
    pub(crate) fn excuse(&self, id: Option<CorrelationId>) {
        self.0.lock().unwrap().excused.extend(id);
    }

    pub(crate) fn is_excused(&self, id: CorrelationId) -> bool {
        self.0.lock().unwrap().excused.contains(&id)
    }

    pub(crate) fn fate(&self) -> Fate {
        let mut sky = self.0.lock().unwrap();
        let (away, late) = (sky.away, sky.late);
        let rng = &mut sky.rng;
        let dice = rng.u8(..100);
        let latency = Duration::from_micros(rng.u64(50..900));
        let delay = Duration::from_millis(rng.u64(..8_000));
        if away {
            match dice {
                0..10 => Fate::Lost { carried_out: None },
                _ => Fate::Away,
            }
        } else if late {
            match dice {
                0..20 => Fate::Lost {
                    carried_out: Some(delay),
                },
                20..30 => Fate::Lost {
                    carried_out: Some(Duration::ZERO),
                },
                30..35 => Fate::Lost { carried_out: None },
                _ => Fate::Done {
                    after: latency * 100,
                },
            }
        } else {
            Fate::Done { after: latency }
        }
    }
}
