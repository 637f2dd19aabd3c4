use feeway_domain::ProcessorName;
use feeway_health::{Board, Permit};

use crate::dispatcher::Slot;
use crate::registry::InHand;

/// Where an accepted payment will go.
#[derive(Debug)]
pub enum Place {
    /// To a lane, with a permit when it may be sent at once.
    Lane {
        /// Its place in the queue of the lane.
        slot: Slot,
        /// What lets it be sent at once.
        permit: Option<Permit>,
        /// Its id is in hand.
        in_hand: InHand,
    },
    /// It stays in the journal until the feeder fetches it.
    Journal,
}

impl Place {
    /// The processor that the journal entry will name.
    pub fn processor<'a>(&self, board: &'a Board) -> Option<&'a ProcessorName> {
        match self {
            Self::Lane {
                permit: Some(permit),
                ..
            } => Some(board.name(permit.rank())),
            Self::Lane { permit: None, .. } | Self::Journal => None,
        }
    }
}
