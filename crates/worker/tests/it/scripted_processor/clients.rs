//! Who asks a processor, and what of it is not at its end.

use feeway_domain::CorrelationId;
use tokio::time::Instant;

use super::ScriptedProcessor;

/// One life of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) front: usize,
    pub(crate) number: u32,
}

/// One POST that came in.
#[derive(Clone, Copy)]
pub(crate) struct Posted {
    pub(crate) at: Instant,
    pub(crate) life: Life,
    pub(crate) id: CorrelationId,
    /// No other POST of this payment came before.
    pub(crate) is_first: bool,
}

impl ScriptedProcessor {
    /// Whether a request for this payment is not at its end.
    pub(crate) fn is_inside(&self, id: CorrelationId) -> bool {
        self.0.lock().unwrap().inside.contains(&id)
    }

    /// The lives of fronts that wait for an answer to a POST.
    pub(crate) fn waiting(&self) -> Vec<Life> {
        self.0.lock().unwrap().waiting.clone()
    }

    /// Counts a life as one that waits until the returned client is dropped.
    pub(crate) fn client(&self, life: Life) -> Client {
        self.0.lock().unwrap().waiting.push(life);
        Client {
            processor: self.clone(),
            life,
        }
    }

    /// Every POST that came in, in order.
    pub(crate) fn posts(&self) -> Vec<Posted> {
        self.0.lock().unwrap().posts.clone()
    }

    pub(crate) fn note_post(&self, id: CorrelationId, life: Life) {
        self.begin_inside(id);
        let inside = &mut *self.0.lock().unwrap();
        let is_first = inside.posts.iter().all(|post| post.id != id);
        inside.posts.push(Posted {
            at: Instant::now(),
            life,
            id,
            is_first,
        });
    }

    /// Work on a payment begins that nobody has to wait for.
    pub(super) fn begin_inside(&self, id: CorrelationId) {
        self.0.lock().unwrap().inside.push(id);
    }

    pub(super) fn end_inside(&self, id: CorrelationId) {
        let inside = &mut self.0.lock().unwrap().inside;
        if let Some(place) = inside.iter().position(|other| *other == id) {
            inside.remove(place);
        }
    }
}

/// Somebody who waits for an answer.
pub(crate) struct Client {
    processor: ScriptedProcessor,
    life: Life,
}

impl Drop for Client {
    fn drop(&mut self) {
        let waiting = &mut self.processor.0.lock().unwrap().waiting;
        if let Some(place) = waiting.iter().position(|life| *life == self.life) {
            waiting.remove(place);
        }
    }
}
