//! What both stores make of a listing.

use feeway_domain::{
    CorrelationId, Cursor, Entry, Fee, JournalTime, LedgerFault, Line, Listed, Listing, MAX_PAGE,
    Money, Page, PaymentState, ProcessorName, RequestedAt, Status, Window,
};

use crate::horizon::Horizon;

/// The first and the last microsecond of a window.
pub fn range(window: Window) -> (i64, i64) {
    let from = window.from().unwrap_or(RequestedAt::MIN);
    let to = window.to().unwrap_or(RequestedAt::MAX);
    (from.micros(), to.micros())
}

/// Whether every line of the ledger that is asked for is kept. Without a beginning, it is
/// what is kept that is asked for.
pub fn check(horizon: Horizon, listing: &Listing) -> Result<(), LedgerFault> {
    let window = listing.window;
    let ends = [
        window.from().map(RequestedAt::micros),
        window.to().map(RequestedAt::micros),
        listing.after.as_ref().map(|cursor| cursor.at.micros()),
    ];
    if ends
        .into_iter()
        .flatten()
        .all(|end| end >= horizon.micros())
    {
        Ok(())
    } else {
        Err(horizon.too_old())
    }
}

/// The page that begins with these lines.
pub fn page(mut lines: Vec<Line>, limit: usize) -> Page {
    let limit = limit.clamp(1, MAX_PAGE);
    let more = lines.len() > limit;
    lines.truncate(limit);
    let next = lines.last().filter(|_| more).map(Line::cursor);
    Page { lines, next }
}

/// The place of an open payment.
pub fn cursor_at(at: JournalTime, id: CorrelationId) -> Cursor {
    Cursor {
        at,
        id,
        amount: Money::MAX,
        processor: None,
    }
}

/// The line of a payment that is open.
pub fn open_line(entry: &Entry) -> Line {
    Line {
        state: PaymentState {
            id: entry.payment.id,
            amount: entry.payment.amount,
            status: Status::Open {
                processor: entry.processor.clone(),
            },
        },
        at: entry.accepted_at,
        fee: None,
    }
}

/// The line of a payment that is settled.
pub fn settled_line(
    listed: Listed,
    id: CorrelationId,
    amount: Money,
    processor: ProcessorName,
    requested_at: RequestedAt,
    fee: Fee,
) -> Line {
    let status = if listed == Listed::Conflict {
        Status::Conflict {
            processor,
            requested_at,
        }
    } else {
        Status::Settled {
            processor,
            requested_at,
        }
    };
    Line {
        state: PaymentState { id, amount, status },
        at: JournalTime::from_micros(requested_at.micros()),
        fee: Some(fee),
    }
}

/// The line of a payment that is rejected.
pub fn rejected_line(id: CorrelationId, amount: Money, at: JournalTime, reason: String) -> Line {
    let status = Status::Rejected { reason };
    Line {
        state: PaymentState { id, amount, status },
        at,
        fee: None,
    }
}
