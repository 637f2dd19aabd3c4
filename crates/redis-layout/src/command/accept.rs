//! The calls by which payments are kept.

use feeway_domain::{Hold, Payment, ProcessorName};
use redis::{Cmd, RedisWrite as _};

use super::add_hold;
use crate::keys::{self, shown};

/// How many words an `accept_all` has before its payments: 3 of the call, 3 keys and 4
/// arguments, and one at the end; and how many each payment has.
const ACCEPT_WORDS: usize = 11;
const ACCEPT_WORDS_EACH: usize = 3;
/// Their bytes: fixed text, numbers, and the names of two incarnations, twice each; then an
/// id, cents and a processor's name. Longer ones only cost another allocation.
const ACCEPT_BYTES: usize = 320;
const ACCEPT_BYTES_EACH: usize = 48;

/// Writes payments into the journal.
pub fn accept_all<'a>(
    hold: &Hold,
    payments: impl ExactSizeIterator<Item = (&'a Payment, Option<&'a ProcessorName>)>,
    max_open: u64,
) -> Cmd {
    call("accept_all", hold, payments, max_open)
}

/// Asks what is known of payments, in words of [`accept_all`], and writes nothing.
pub fn known_all<'a>(
    hold: &Hold,
    payments: impl ExactSizeIterator<Item = (&'a Payment, Option<&'a ProcessorName>)>,
) -> Cmd {
    call("known_all", hold, payments, 0)
}

/// Every intake pays for this one, so it is written in one go: two allocations for any
/// number of payments.
fn call<'a>(
    function: &str,
    hold: &Hold,
    payments: impl ExactSizeIterator<Item = (&'a Payment, Option<&'a ProcessorName>)>,
    max_open: u64,
) -> Cmd {
    let count = payments.len();
    let mut call = Cmd::with_capacity(
        ACCEPT_WORDS + count * ACCEPT_WORDS_EACH,
        ACCEPT_BYTES + count * ACCEPT_BYTES_EACH,
    );
    call.arg("FCALL").arg(function).arg(3).arg(keys::OPEN);
    call.write_arg_fmt(shown::owner(&hold.owner));
    call.write_arg_fmt(shown::queue(&hold.owner));
    add_hold(&mut call, hold);
    call.arg(max_open);
    for (payment, processor) in payments {
        call.arg(payment.id.as_bytes())
            .arg(payment.amount.cents())
            .arg(processor.map_or("", ProcessorName::as_str));
    }
    // Functions of an earlier version overlook it, and tell no generation.
    call.arg("generation");
    call
}
