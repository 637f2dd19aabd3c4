//! The texts that Redis keeps for each payment, and how they are read.

use feeway_domain::{
    CorrelationId, Decided, Entry, Fee, InRun, Incarnation, JournalTime, Money, Payment,
    ProcessorName, RequestedAt, Resolution, Restamp, RunPayment, Verdict,
};

/// `owner|processor|moves|cents|acceptedAt`; the processor may be empty.
pub(crate) fn write_entry(entry: &Entry) -> String {
    let processor = entry.processor.as_ref().map_or("", ProcessorName::as_str);
    let (owner, moves) = (&entry.owner, entry.moves);
    let (cents, accepted_at) = (entry.payment.amount.cents(), entry.accepted_at.micros());
    format!("{owner}|{processor}|{moves}|{cents}|{accepted_at}")
}

/// Reads an entry of the journal.
pub fn read_entry(id: CorrelationId, text: &[u8]) -> Option<Entry> {
    let mut parts = std::str::from_utf8(text).ok()?.split('|');
    let owner = Incarnation::new(parts.next()?);
    let processor = match parts.next()? {
        "" => None,
        name => Some(name.parse().ok()?),
    };
    let moves = parts.next()?.parse().ok()?;
    let amount = cents(parts.next()?)?;
    let accepted_at = JournalTime::from_micros(parts.next()?.parse().ok()?);
    Some(Entry {
        payment: Payment { id, amount },
        owner,
        processor,
        moves,
        accepted_at,
    })
}

/// URLs, the newest first, with a space between each.
pub(crate) fn write_urls(urls: &[String]) -> String {
    urls.join(" ")
}

/// Reads the URLs at which a processor was.
pub fn read_urls(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// A settled payment, as far as it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Who holds it.
    pub processor: ProcessorName,
    /// At which time of that one's books.
    pub requested_at: RequestedAt,
    /// How much was paid.
    pub amount: Money,
    /// What it cost.
    pub fee: Fee,
}

/// Reads `processor:requestedAt:cents:fee`.
pub fn read_settled(text: &[u8]) -> Option<Settled> {
    let mut parts = std::str::from_utf8(text).ok()?.split(':');
    Some(Settled {
        processor: parts.next()?.parse().ok()?,
        requested_at: RequestedAt::from_micros(parts.next()?.parse().ok()?)?,
        amount: cents(parts.next()?)?,
        fee: Fee::from_millionths(parts.next()?.parse().ok()?)?,
    })
}

/// Reads what a processor holds from `first|record|record…`, where the first has no record.
pub fn read_other(text: &[u8], processor: &ProcessorName) -> Option<Settled> {
    read_others(text).find(|settled| settled.processor == *processor)
}

/// A rejected payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// How much was to be paid.
    pub amount: Money,
    /// When it was rejected.
    pub at: JournalTime,
    /// What each processor said.
    pub why: String,
}

/// Reads `cents|rejectedAt|why|acceptedAt|moves`, of which earlier versions wrote no more than
/// the first three.
pub fn read_rejected(text: &[u8]) -> Option<Rejected> {
    let mut parts = std::str::from_utf8(text).ok()?.splitn(3, '|');
    let amount = cents(parts.next()?)?;
    let at = JournalTime::from_micros(parts.next()?.parse().ok()?);
    let rest = parts.next()?;
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut from_end = rest.rsplitn(3, '|');
    let lineage = [from_end.next(), from_end.next()];
    let has_lineage = lineage
        .iter()
        .all(|part| part.is_some_and(|part| is_number(&part)));
    let why = from_end.next().filter(|_| has_lineage).unwrap_or(rest);
    Some(Rejected {
        amount,
        at,
        why: why.to_owned(),
    })
}

/// `id|cents|processor|requestedAt|fee|by`, the two before the last empty when it is not
/// held; Redis puts the time in front.
pub fn write_resolution(
    payment: &Payment,
    named: &ProcessorName,
    verdict: &Verdict,
    by: &str,
) -> String {
    let (id, cents) = (payment.id, payment.amount.cents());
    let what = match verdict {
        Verdict::Held { requested_at, fee } => {
            format!("{}|{}", requested_at.micros(), fee.millionths())
        }
        Verdict::NotHeld => "|".to_owned(),
    };
    format!("{id}|{cents}|{named}|{what}|{by}")
}

/// Reads `at|id|cents|processor|requestedAt|fee|by`. Without a processor it is a reopening, and
/// the reason of the rejection stands in the place of `requestedAt`.
pub fn read_resolution(text: &[u8]) -> Option<Resolution> {
    let mut parts = std::str::from_utf8(text).ok()?.splitn(7, '|');
    let at = JournalTime::from_micros(parts.next()?.parse().ok()?);
    let id = parts.next()?.parse().ok()?;
    let amount = cents(parts.next()?)?;
    let decided = match (parts.next()?, parts.next()?, parts.next()?) {
        ("", why, "") => Decided::Reopened {
            reason: why.to_owned(),
        },
        (processor, requested_at, fee) => Decided::Resolved {
            processor: processor.parse().ok()?,
            verdict: read_verdict(requested_at, fee)?,
        },
    };
    let by = parts.next()?.to_owned();
    Some(Resolution {
        at,
        id,
        amount,
        decided,
        by,
    })
}

fn read_verdict(requested_at: &str, fee: &str) -> Option<Verdict> {
    if requested_at.is_empty() && fee.is_empty() {
        return Some(Verdict::NotHeld);
    }
    Some(Verdict::Held {
        requested_at: RequestedAt::from_micros(requested_at.parse().ok()?)?,
        fee: Fee::from_millionths(fee.parse().ok()?)?,
    })
}

/// `id|processor|theirs|ours`; Redis keeps the time beside it.
pub(crate) fn write_restamp(restamp: &Restamp) -> String {
    let Restamp {
        id,
        processor,
        theirs,
        ours,
    } = restamp;
    format!("{id}|{processor}|{}|{}", theirs.micros(), ours.micros())
}

/// Reads a payment that is booked at our time.
pub fn read_restamp(text: &[u8]) -> Option<Restamp> {
    let mut parts = std::str::from_utf8(text).ok()?.split('|');
    let id = parts.next()?.parse().ok()?;
    let processor = parts.next()?.parse().ok()?;
    let mut instant = || RequestedAt::from_micros(parts.next()?.parse().ok()?);
    Some(Restamp {
        id,
        processor,
        theirs: instant()?,
        ours: instant()?,
    })
}

/// Reads `what:requestedAt:cents` of a payment that a run settled, and whatever comes behind it.
pub fn read_run_payment(id: CorrelationId, text: &[u8]) -> Option<RunPayment> {
    let text = std::str::from_utf8(text).ok()?.split('|').next()?;
    let mut parts = text.split(':');
    let state = match parts.next()? {
        "settled" => InRun::Settled,
        "undone" => InRun::Undone,
        "confirmed" => InRun::Confirmed,
        _ => return None,
    };
    let requested_at = RequestedAt::from_micros(parts.next()?.parse().ok()?)?;
    let amount = cents(parts.next()?)?;
    Some(RunPayment {
        payment: Payment { id, amount },
        requested_at,
        state,
    })
}

/// A member of the ledger, or of those who left a processor: 16 bytes of id, then
/// `processor:cents`.
pub fn write_ledger_member(id: CorrelationId, processor: &ProcessorName, amount: Money) -> Vec<u8> {
    let mut member = id.as_bytes().to_vec();
    member.extend_from_slice(format!("{processor}:{}", amount.cents()).as_bytes());
    member
}

/// Reads every record of `first|record|record…` but the first, which has none.
pub fn read_others(text: &[u8]) -> impl Iterator<Item = Settled> {
    let others = text.split(|&byte| byte == b'|').skip(1);
    others.filter_map(read_settled)
}

/// Reads a member of the ledger: 16 bytes of id, then `processor:cents`.
pub fn read_ledger_member(member: &[u8]) -> Option<(&str, i128)> {
    let (processor, cents) = std::str::from_utf8(member.get(16..)?)
        .ok()?
        .split_once(':')?;
    Some((processor, cents.parse().ok()?))
}

/// Reads the same of those who left a processor.
pub fn read_freed(member: &[u8]) -> Option<(Payment, ProcessorName)> {
    let id = CorrelationId::from_bytes(member.get(..16)?.try_into().ok()?);
    let (processor, amount) = std::str::from_utf8(&member[16..]).ok()?.split_once(':')?;
    let amount = cents(amount)?;
    Some((Payment { id, amount }, processor.parse().ok()?))
}

fn cents(text: &str) -> Option<Money> {
    Money::from_cents(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip() {
        let id = CorrelationId::from_bytes([7; 16]);
        for processor in [None, Some("default".parse().unwrap())] {
            let entry = Entry {
                payment: Payment {
                    id,
                    amount: Money::MAX,
                },
                owner: Incarnation::new("front-1.9f86d081"),
                processor,
                moves: 3,
                accepted_at: JournalTime::from_micros(1_752_582_896_123_456),
            };
            let text = write_entry(&entry);
            assert_eq!(read_entry(id, text.as_bytes()), Some(entry));
        }
    }

    #[test]
    fn rejections_of_every_version_are_read() {
        for (text, why) in [
            ("1990|17|a answered 402|15|3", "a answered 402"),
            ("1990|17|a answered 402", "a answered 402"),
            ("1990|17|402 | everywhere|15|3", "402 | everywhere"),
            ("1990|17|402 | everywhere", "402 | everywhere"),
            ("1990|17|", ""),
            ("1990|17||15|3", ""),
        ] {
            let rejected = read_rejected(text.as_bytes()).unwrap();
            assert_eq!((rejected.at.micros(), &*rejected.why), (17, why), "{text}");
        }
        assert_eq!(read_rejected(b"1990|17"), None);
    }

    #[test]
    fn decisions_and_restamps_are_read_as_they_were_written() {
        let id = CorrelationId::from_bytes([7; 16]);
        let reopened = format!("17|{id}|1990||a answered 402, b answered 410||ann | desk");
        let read = read_resolution(reopened.as_bytes()).unwrap();
        let reason = "a answered 402, b answered 410".to_owned();
        assert_eq!(read.decided, Decided::Reopened { reason });
        assert_eq!((read.id, &*read.by), (id, "ann | desk"));
        let restamp = Restamp {
            id,
            processor: "default".parse().unwrap(),
            theirs: RequestedAt::MIN,
            ours: RequestedAt::MAX,
        };
        let text = write_restamp(&restamp);
        assert_eq!(read_restamp(text.as_bytes()), Some(restamp));
        assert_eq!(read_restamp(b"x|default|1|2"), None);
    }

    #[test]
    fn malformed_texts_are_not_read() {
        let id = CorrelationId::from_bytes([7; 16]);
        for text in [
            "",
            "a|b",
            "a||0|1990|",
            "a|b|c|0|1990|1",
            "a|B|0|1990|1",
            "a|b|0|-1|1",
            "a|b|1990|1",
        ] {
            assert_eq!(read_entry(id, text.as_bytes()), None, "{text}");
        }
        assert_eq!(read_settled(b"default:1"), None);
        assert_eq!(read_ledger_member(b"short"), None);
        for text in [
            "short",
            "sixteen bytes it has",
            "sixteen bytes it:x",
            "sixteen bytes it:1990",
        ] {
            assert_eq!(read_freed(text.as_bytes()), None, "{text}");
        }
    }
}
