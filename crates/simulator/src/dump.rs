use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use feeway_domain::CorrelationId;
use hyper::body::{Body, Frame};

use crate::state::State;

/// Payments written at a time: about 60 KB, and a fraction of a millisecond in which the
/// books are locked.
const PAGE: usize = 500;

/// All payments as JSON lines in the order of their ids, read from the books page by page.
/// What is stored meanwhile may or may not be in it.
pub(crate) struct Dump {
    state: Arc<State>,
    after: Option<CorrelationId>,
    ended: bool,
}

impl Dump {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self {
            state,
            after: None,
            ended: false,
        }
    }

    fn next_page(&mut self) -> Option<Bytes> {
        let mut lines = String::new();
        let mut count = 0;
        for (id, held) in self.state.books().page(self.after, PAGE) {
            let (amount, requested_at) = (held.amount, held.requested_at);
            writeln!(
                lines,
                r#"{{"correlationId":"{id}","amount":{amount},"requestedAt":"{requested_at}"}}"#
            )
            .expect("writing to a string does not fail");
            self.after = Some(id);
            count += 1;
        }
        self.ended = count < PAGE;
        (count > 0).then(|| Bytes::from(lines))
    }
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
