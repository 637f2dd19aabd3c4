use std::collections::VecDeque;

use feeway_domain::{JournalTime, MAX_RESTAMPED, Restamp, Restamped};

/// The payments that are booked at another time than their processor says, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Restamps(VecDeque<Restamped>);

impl Restamps {
    pub(crate) fn note(&mut self, restamp: &Restamp, at: JournalTime) {
        if self.0.iter().any(|noted| noted.restamp == *restamp) {
            return;
        }
        if self.0.len() == MAX_RESTAMPED {
            self.0.pop_front();
        }
        self.0.push_back(Restamped {
            at,
            restamp: restamp.clone(),
        });
    }

    pub(crate) fn list(&self) -> Vec<Restamped> {
        self.0.iter().cloned().collect()
    }
}
