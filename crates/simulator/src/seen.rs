use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use feeway_domain::CorrelationId;
use serde::Serialize;

/// The most ids whose requests are counted: about 60 MB of them. Requests for more ids are
/// answered and not counted.
const MAX_IDS: usize = 1_000_000;

/// The most requests whose time and answer are kept: about 5 MB of them.
const MAX_REQUESTS: usize = 100_000;

/// Which requests there were for each id, from the first rules on: a processor that is faithful
/// all the time, as under a benchmark, need not pay for it.
#[derive(Default)]
pub(crate) struct Seen {
    is_on: bool,
    ids: BTreeMap<CorrelationId, Counts>,
    requests: VecDeque<(CorrelationId, SeenRequest)>,
}

/// How many requests there were for one id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) posts: u32,
    pub(crate) look_ups: u32,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeenRequest {
    /// When it arrived, in microseconds since 1970.
    pub(crate) at_us: i64,
    pub(crate) method: Method,
    /// The answer's; nothing when there was none, or raw bytes.
    pub(crate) status: Option<u16>,
}

/// Which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    Post,
    Get,
}

impl Seen {
    /// Requests count from now on.
    pub(crate) fn begin(&mut self) {
        self.is_on = true;
    }

    /// Forgets all requests.
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.requests.clear();
    }

    /// Counts a request, and returns the how manieth of its kind it is for this id.
    pub(crate) fn count(&mut self, id: CorrelationId, method: Method) -> u32 {
        if !self.is_on {
            return 1;
        }
        if self.ids.len() >= MAX_IDS && !self.ids.contains_key(&id) {
            return 1;
        }
        let counts = self.ids.entry(id).or_default();
        let count = match method {
            Method::Post => &mut counts.posts,
            Method::Get => &mut counts.look_ups,
        };
        *count = count.saturating_add(1);
        *count
    }

    /// Keeps a request whose answer is known.
    pub(crate) fn keep(&mut self, id: CorrelationId, request: SeenRequest) {
        if !self.is_on {
            return;
        }
        if self.requests.len() == MAX_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back((id, request));
    }

    pub(crate) fn counts(&self, id: CorrelationId) -> Counts {
        self.ids.get(&id).copied().unwrap_or_default()
    }

    /// What is kept of one id's requests, in the order of their arrival.
    pub(crate) fn requests(&self, id: CorrelationId) -> Vec<SeenRequest> {
        let own = self.requests.iter().filter(|(of, _)| *of == id);
        let mut requests: Vec<SeenRequest> = own.map(|(_, request)| *request).collect();
        requests.sort_by_key(|request| request.at_us);
        requests
    }

    /// Up to `limit` ids in order, after `after`.
    pub(crate) fn page(
        &self,
        after: Option<CorrelationId>,
        limit: usize,
    ) -> Vec<(CorrelationId, Counts)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.ids.range((start, Bound::Unbounded)).take(limit);
        ids.map(|(id, counts)| (*id, *counts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> CorrelationId {
        CorrelationId::from_bytes(number.to_be_bytes())
    }

    #[test]
    fn requests_are_counted_by_id_and_kind() {
        let mut seen = Seen::default();
        seen.begin();
        let counted = [
            seen.count(id(1), Method::Post),
            seen.count(id(1), Method::Post),
            seen.count(id(1), Method::Get),
            seen.count(id(2), Method::Get),
        ];
        assert_eq!(counted, [1, 2, 1, 1]);
        let (posts, look_ups) = (2, 1);
        assert_eq!(seen.counts(id(1)), Counts { posts, look_ups });
        assert_eq!(seen.counts(id(3)), Counts::default());
        let pages = [seen.page(None, 1), seen.page(Some(id(1)), 5)];
        assert_eq!(pages.map(|page| page[0].0), [id(1), id(2)]);
    }

    #[test]
    fn the_latest_requests_are_kept() {
        let mut seen = Seen::default();
        seen.begin();
        let kept = |at_us| SeenRequest {
            at_us,
            method: Method::Post,
            status: None,
        };
        seen.keep(id(1), kept(7));
        seen.keep(id(1), kept(3));
        assert_eq!(seen.requests(id(1)), [kept(3), kept(7)]);
        for at_us in 0..100_000 {
            seen.keep(id(2), kept(at_us));
        }
        assert_eq!(seen.requests(id(1)), []);
        assert_eq!(seen.requests(id(2)).len(), 100_000);
    }
}
