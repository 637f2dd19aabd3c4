use feeway_domain::{Accept, Hold, Payment, ProcessorName, StoreFault};
use feeway_redis_layout::command;
use feeway_redis_layout::reply::Reply;
use feeway_redis_layout::written::{Acknowledged, Written};
use feeway_redis_link::group_commit::{Answers, Step};
use redis::Cmd;
use tracing::error;

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

    /// A client may come again with a payment that is known.
    fn when_full<'a>(
        &self,
        mut intakes: impl ExactSizeIterator<Item = &'a Intake> + Clone,
    ) -> Option<Cmd> {
        let all = intakes.clone();
        let payments = all.map(|intake| (&intake.payment, intake.processor.as_ref()));
        let first = intakes.next()?;
        Some(command::known_all(&first.hold, payments))
    }

    fn read<'a>(
        &self,
        reply: &Reply,
        intakes: impl ExactSizeIterator<Item = &'a Intake>,
    ) -> Result<Answers<Self>, StoreFault> {
        let count = intakes.len();
        if reply.word() != "accepted" || !(2..=3).contains(&(reply.parts().len() - count)) {
            return reply.unreadable();
        }
        let accepted_at = reply.time(1)?;
        let mut accepts = Vec::with_capacity(intakes.len());
        let mut written = Vec::with_capacity(intakes.len());
        for (at, intake) in intakes.enumerate() {
            if let Some(error) = reply.failure(at + 2) {
                error!(id = %intake.payment.id, error, "Redis could not accept a payment");
                accepts.push(Err(StoreFault::Unknown));
                continue;
            }
            let accept = match reply.text(at + 2) {
                Some("no-memory") => {
                    accepts.push(Err(StoreFault::Full));
                    continue;
                }
                Some("closed") => {
                    accepts.push(Err(StoreFault::Closed));
                    continue;
                }
                Some("kept") => {
                    written.push(Written::Entry {
                        hold: intake.hold.clone(),
                        payment: intake.payment,
                        processor: intake.processor.clone(),
                        moves: 0,
                        accepted_at,
                    });
                    Accept::Kept { accepted_at }
                }
                Some("differs") => Accept::AmountDiffers,
                Some("full") => Accept::Full,
                Some("fenced") => Accept::Fenced,
                other => {
                    let Some(entry) = other.and_then(|other| other.strip_prefix("known ")) else {
                        return reply.unreadable();
                    };
                    // A client hears "kept" of this one too, so we vouch for the entry as it
                    // is: whoever wrote it may never have heard that it was written.
                    if entry.is_empty() {
                        Accept::Ended
                    } else {
                        written.push(Written::Found {
                            id: intake.payment.id,
                            entry: entry.as_bytes().into(),
                            hold: intake.hold.clone(),
                        });
                        Accept::Known
                    }
                }
            };
            accepts.push(Ok(accept));
        }
        let acknowledged = Acknowledged {
            writes: written,
            generation: reply.generation(count + 2),
        };
        Ok((accepts, acknowledged))
    }
}
