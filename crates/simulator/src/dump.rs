use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use feeway_domain::CorrelationId;
use hyper::body::{Body, Frame};

use crate::seen::Counts;
use crate::state::State;

/// Payments written at a time: about 60 KB, and a fraction of a millisecond in which the
/// books are locked.
const PAGE: usize = 500;

/// One JSON line for each id in their order, read page by page. What comes meanwhile may or
/// may not be in it.
pub(crate) struct Dump {
    state: Arc<State>,
    page: Page,
    after: Option<CorrelationId>,
    ended: bool,
}

/// Up to [`PAGE`] lines, after an id.
type Page = fn(&State, Option<CorrelationId>) -> Vec<(CorrelationId, String)>;

impl Dump {
    /// All payments that are held.
    pub(crate) fn of_books(state: Arc<State>) -> Self {
        Self::new(state, held_page)
    }

    /// All ids that were asked for, with the number of requests.
    pub(crate) fn of_requests(state: Arc<State>) -> Self {
        Self::new(state, requests_page)
    }

    fn new(state: Arc<State>, page: Page) -> Self {
        Self {
            state,
            page,
            after: None,
            ended: false,
        }
    }

    fn next_page(&mut self) -> Option<Bytes> {
        let page = (self.page)(&self.state, self.after);
        self.ended = page.len() < PAGE;
        self.after = Some(page.last()?.0);
        let lines = page.into_iter().map(|(_, line)| line + "\n");
        Some(Bytes::from(lines.collect::<String>()))
    }
}

fn held_page(state: &State, after: Option<CorrelationId>) -> Vec<(CorrelationId, String)> {
    let books = state.books();
    let page = books.page(after, PAGE).map(|(id, held)| {
        let (amount, requested_at) = (held.amount, held.requested_at);
        let line = format!(
            r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{requested_at}"}}"#
        );
        (id, line)
    });
    page.collect()
}

fn requests_page(state: &State, after: Option<CorrelationId>) -> Vec<(CorrelationId, String)> {
    let page = state.seen().page(after, PAGE);
    let books = state.books();
    let line = |(id, counts): (CorrelationId, Counts)| {
        let (posts, look_ups) = (counts.posts, counts.look_ups);
        let held = books.find(id).is_some();
        let line = format!(
            r#"{{"correlationId":"{id}","posts":{posts},"lookUps":{look_ups},"held":{held}}}"#
        );
        (id, line)
    };
    page.into_iter().map(line).collect()
}

impl Body for Dump {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(self.next_page().map(|page| Ok(Frame::data(page))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
