use std::fmt;

use feeway_domain::{Incarnation, ProcessorName, without_credentials};

/// Why a front may not take part: a processor is not where it was, and nobody vouches that its
/// ledger is the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct MovedProcessor {
    /// Which.
    pub processor: ProcessorName,
    /// The newest URL that is known of it.
    pub known: String,
    /// The URL that this front has.
    pub url: String,
    /// What forbids to take the one for the other.
    pub why: Objection,
}

/// What forbids to take another URL for a processor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// So many open payments may have reached it at the known URL.
    Open(u64),
    /// This front lives and does not send to the new URL, as far as is known.
    Front(Incarnation),
}

impl fmt::Display for MovedProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            known,
            url,
            why,
        } = self;
        let (known, url) = (without_credentials(known), without_credentials(url));
        write!(
            f,
            "processor {processor} has the URL {known} in Redis and {url} here; "
        )?;
        match why {
            Objection::Open(payments) => write!(
                f,
                "{payments} open payments may have been sent to the old URL. If both URLs lead to \
                 the same ledger, start every front with --moved {processor}. If not, start them \
                 with the old URL until those payments have ended, or decide about them with \
                 feeway-ctl resolve"
            ),
            Objection::Front(front) => write!(
                f,
                "{front} is running and may send payments to the old URL. If both URLs lead to the \
                 same ledger, start this front with --moved {processor}. If not, stop every front \
                 before one starts with the new URL"
            ),
        }
    }
}
