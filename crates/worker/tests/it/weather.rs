use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the store does to those who use it.
#[derive(Clone)]
pub(crate) struct Weather(Arc<Mutex<Sky>>);

struct Sky {
    away: bool,
    late: bool,
    /// How often it forgot.
    lapses: u64,
    rng: fastrand::Rng,
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
            lapses: 0,
            rng,
        })))
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    pub(crate) fn set_late(&self, late: bool) {
        self.0.lock().unwrap().late = late;
    }

    pub(crate) fn forgot(&self) {
        self.0.lock().unwrap().lapses += 1;
    }

    pub(crate) fn lapses(&self) -> u64 {
        self.0.lock().unwrap().lapses
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
