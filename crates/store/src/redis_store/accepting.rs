use feeway_domain::{Accept, Hold, JournalTime, Payment, ProcessorName, StoreFault};
use redis::{Cmd, Value};

use crate::redis_store::command;
use crate::redis_store::group_commit::{Answers, Step};
use crate::redis_store::recent::Written;
use crate::redis_store::reply::{Reply, text};

/// Writes payments into the journal.
#[derive(Debug)]
pub(crate) struct Accepting {
    pub(crate) max_open: u64,
}

/// A payment that is not in the journal yet.
#[derive(Debug)]
pub(crate) struct Intake {
    hold: Hold,
    payment: Payment,
    processor: Option<ProcessorName>,
}

impl Intake {
    pub(crate) fn new(hold: &Hold, payment: &Payment, processor: Option<&ProcessorName>) -> Self {
        Self {
            hold: hold.clone(),
            payment: *payment,
            processor: processor.cloned(),
        }
    }
}

impl Step for Accepting {
    type Item = Intake;
    type Answer = Accept;

    fn goes_with(first: &Intake, other: &Intake) -> bool {
        first.hold == other.hold
    }

    fn command<'a>(&self, mut intakes: impl ExactSizeIterator<Item = &'a Intake> + Clone) -> Cmd {
        let all = intakes.clone();
        let payments = all.map(|intake| (&intake.payment, intake.processor.as_ref()));
        let first = intakes.next().expect("a group has somebody in it");
        command::accept_all(&first.hold, payments, self.max_open)
    }

    fn read<'a>(
        &self,
        reply: &Reply,
        intakes: impl ExactSizeIterator<Item = &'a Intake>,
    ) -> Result<Answers<Self>, StoreFault> {
        let Some((accepted_at, mut others)) = read_head(reply, intakes.len()) else {
            return reply.unreadable();
        };
        let mut accepts = Vec::with_capacity(intakes.len());
        let mut written = Vec::with_capacity(intakes.len());
        for (place, intake) in (1..).zip(intakes) {
            let accept = match others.next_at(place) {
                None => {
                    written.push(Written::Kept {
                        hold: intake.hold.clone(),
                        payment: intake.payment,
                        processor: intake.processor.clone(),
                        accepted_at,
                    });
                    Accept::Kept { accepted_at }
                }
                Some("differs") => Accept::AmountDiffers,
                Some("full") => Accept::Full,
                Some("fenced") => Accept::Fenced,
                Some(other) => {
                    let Some(entry) = other.strip_prefix("known ") else {
                        return reply.unreadable();
                    };
                    // A client hears "kept" of this one too, so we vouch for the entry as it
                    // is: whoever wrote it may never have heard that it was written.
                    if !entry.is_empty() {
                        written.push(Written::Found {
                            id: intake.payment.id,
                            entry: entry.as_bytes().into(),
                            hold: intake.hold.clone(),
                        });
                    }
                    Accept::Known
                }
            };
            accepts.push(Ok(accept));
        }
        if others.are_left() {
            return reply.unreadable();
        }
        Ok((accepts, written))
    }
}

/// When payments were accepted, and what is said of those that are not kept. Nothing when
/// kept and others are not as many as were sent.
fn read_head(reply: &Reply, sent: usize) -> Option<(JournalTime, Others<'_>)> {
    let (head, others) = reply.parts().split_at_checked(3)?;
    let Value::Int(kept) = head[2] else {
        return None;
    };
    let answered = usize::try_from(kept).ok()? + others.len() / 2;
    if reply.word() != "accepted" || answered != sent || others.len() % 2 != 0 {
        return None;
    }
    Some((reply.time(1).ok()?, Others(others)))
}

/// The payments of a group that are not kept: the place of each, from 1 on, and a word.
struct Others<'a>(&'a [Value]);

impl<'a> Others<'a> {
    /// What is said of the payment at this place, if anything is.
    fn next_at(&mut self, place: i64) -> Option<&'a str> {
        let [Value::Int(next), word, rest @ ..] = self.0 else {
            return None;
        };
        if *next != place {
            return None;
        }
        self.0 = rest;
        // What is not text is no answer that anybody knows.
        Some(text(word).unwrap_or_default())
    }

    fn are_left(&self) -> bool {
        !self.0.is_empty()
    }
}
