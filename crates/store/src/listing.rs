use feeway_books::horizon::Horizon;
use feeway_books::listing;
use feeway_domain::{
    CorrelationId, Entry, Incarnation, JournalTime, LedgerFault, Line, Listed, Listing, MAX_PAGE,
    Page, ProcessorName, StoreFault,
};
use feeway_redis_layout::command;
use feeway_redis_layout::keys;
use feeway_redis_layout::record::{self, Settled};
use feeway_redis_layout::reply::{Reply, bytes, unreadable};
use redis::{Value, pipe};

use crate::RedisStore;
use crate::look_up::read_entries;

/// Lines that one command reads, so that Redis does nothing else for 0.2 ms at most.
const CHUNK: usize = 256;

/// Chunks of open entries that are looked through for one page of pinned ones.
const OPEN_CHUNKS: usize = 16;

/// A member of a sorted set that lists payments by time.
struct Member {
    id: CorrelationId,
    at: JournalTime,
    /// All of it.
    bytes: Vec<u8>,
}

impl RedisStore {
    pub(crate) async fn list_page(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        match listing.listed {
            Listed::Open | Listed::Pinned => Ok(self.list_open(listing).await?),
            Listed::Settled | Listed::Rejected | Listed::Conflict => {
                self.list_members(listing).await
            }
        }
    }

    async fn list_members(&self, listing: &Listing) -> Result<Page, LedgerFault> {
        // One more than asked for tells whether there is a next page.
        let wanted = listing.limit.min(MAX_PAGE) + 1;
        let mut lines = Vec::new();
        let mut after = listing.after.as_ref().map(|cursor| {
            let member = match &cursor.processor {
                Some(name) => record::write_ledger_member(cursor.id, name, cursor.amount),
                None => cursor.id.as_bytes().to_vec(),
            };
            (cursor.at, member)
        });
        while lines.len() < wanted {
            let chunk = CHUNK.min(wanted - lines.len());
            let members = self.read_members(listing, after, chunk).await?;
            let last = members.len() < chunk;
            lines.extend(self.read_lines(listing.listed, &members).await?);
            after = members
                .into_iter()
                .next_back()
                .map(|last| (last.at, last.bytes));
            if last {
                break;
            }
        }
        Ok(listing::page(lines, listing.limit))
    }

    async fn read_members(
        &self,
        listing: &Listing,
        after: Option<(JournalTime, Vec<u8>)>,
        limit: usize,
    ) -> Result<Vec<Member>, LedgerFault> {
        let set = match listing.listed {
            Listed::Rejected => Some(keys::REJECTIONS),
            Listed::Conflict => Some(keys::CONFLICTED),
            Listed::Settled | Listed::Open | Listed::Pinned => None,
        };
        let range = listing::range(listing.window);
        let reply = self
            .redis
            .read(command::lines(set, range, limit, after))
            .await?;
        let reply = Reply::new(reply)?;
        if listing.listed != Listed::Rejected {
            listing::check(Horizon::read(reply.bytes(0)), listing)?;
        }
        let (members, _) = reply.list(1).unwrap_or_default().as_chunks::<2>();
        let members: Option<Vec<Member>> = members.iter().map(read_member).collect();
        members.ok_or_else(|| unreadable(&reply).into())
    }

    /// What is known of each member. Between two commands one may have been purged.
    async fn read_lines(
        &self,
        listed: Listed,
        members: &[Member],
    ) -> Result<Vec<Line>, StoreFault> {
        if members.is_empty() {
            return Ok(Vec::new());
        }
        let mut commands = pipe();
        for Member { id, .. } in members {
            let of_settled = commands.cmd("HGET").arg(keys::settled(*id));
            of_settled.arg(id.as_bytes());
            if listed == Listed::Rejected {
                commands.cmd("GET").arg(keys::rejected(*id));
            } else {
                commands.cmd("HGET").arg(keys::CONFLICTS).arg(id.as_bytes());
            }
        }
        let found = self.redis.read_in_turn(&commands).await?;
        let (found, _) = found.as_chunks::<2>();
        let lines = members.iter().zip(found).filter_map(|(member, found)| {
            if listed == Listed::Rejected {
                rejected_line(member, found)
            } else {
                settled_line(listed, member, found)
            }
        });
        Ok(lines.collect())
    }

    /// Merges the queues of all owners.
    async fn list_open(&self, listing: &Listing) -> Result<Page, StoreFault> {
        let owners = self.owners().await?;
        let (from, to) = listing::range(listing.window);
        let start = listing.after.as_ref().map(|cursor| (cursor.at, cursor.id));
        // Behind every id of the microsecond before.
        let before = JournalTime::from_micros(from - 1);
        let mut after = start.max(Some((before, CorrelationId::from_bytes([u8::MAX; 16]))));
        let wanted = listing.limit.min(MAX_PAGE) + 1;
        let mut lines = Vec::new();
        for _ in 0..OPEN_CHUNKS {
            let entries = self.read_open(&owners, after).await?;
            let Some(last) = entries.last() else {
                return Ok(listing::page(lines, listing.limit));
            };
            after = Some((last.accepted_at, last.payment.id));
            let passed = last.accepted_at.micros() > to;
            let of_window = entries
                .iter()
                .filter(|entry| entry.accepted_at.micros() <= to)
                .filter(|entry| listing.listed == Listed::Open || entry.processor.is_some());
            lines.extend(of_window.map(listing::open_line));
            if passed || lines.len() >= wanted {
                return Ok(listing::page(lines, listing.limit));
            }
        }
        // Looked through enough for now: the next page goes on from here.
        let mut page = listing::page(lines, listing.limit);
        if page.next.is_none() {
            page.next = after.map(|(at, id)| listing::cursor_at(at, id));
        }
        Ok(page)
    }

    async fn owners(&self) -> Result<Vec<Incarnation>, StoreFault> {
        let found = self
            .redis
            .read(redis::cmd("SMEMBERS").arg(keys::OWNERS).take())
            .await?;
        let owners: Vec<String> = redis::from_redis_value_ref(&found)
            .ok()
            .ok_or_else(|| unreadable(&found))?;
        Ok(owners.iter().map(|owner| Incarnation::new(owner)).collect())
    }

    /// The next entries of all owners together, in order.
    async fn read_open(
        &self,
        owners: &[Incarnation],
        after: Option<(JournalTime, CorrelationId)>,
    ) -> Result<Vec<Entry>, StoreFault> {
        let mut commands = pipe();
        for owner in owners {
            commands.add_command(command::queued(owner, after, CHUNK));
        }
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for found in self.redis.read_in_turn(&commands).await? {
            entries.extend(read_entries(found)?);
        }
        entries.sort_unstable_by_key(|entry| (entry.accepted_at, entry.payment.id));
        // Beyond these, an owner may have more than was read of it.
        entries.truncate(CHUNK);
        Ok(entries)
    }
}

fn read_member([member, score]: &[Value; 2]) -> Option<Member> {
    let bytes_of_member = bytes(member)?.to_vec();
    let id = bytes_of_member.get(..16)?.try_into().ok()?;
    let score: f64 = std::str::from_utf8(bytes(score)?).ok()?.parse().ok()?;
    Some(Member {
        id: CorrelationId::from_bytes(id),
        // Exact below 2^53, which is in the year 2255.
        at: JournalTime::from_micros(score as i64),
        bytes: bytes_of_member,
    })
}

fn settled_line(listed: Listed, member: &Member, [record, others]: &[Value; 2]) -> Option<Line> {
    let (processor, _) = record::read_ledger_member(&member.bytes)?;
    let processor: ProcessorName = processor.parse().ok()?;
    let first = record::read_settled(bytes(record)?)?;
    let settled = if first.processor == processor {
        first
    } else {
        record::read_other(bytes(others)?, &processor)?
    };
    Some(line_of(listed, member.id, settled))
}

fn line_of(listed: Listed, id: CorrelationId, settled: Settled) -> Line {
    let (processor, requested_at) = (settled.processor, settled.requested_at);
    let amount = settled.amount;
    listing::settled_line(listed, id, amount, processor, requested_at, settled.fee)
}

fn rejected_line(member: &Member, [settled, rejected]: &[Value; 2]) -> Option<Line> {
    // Settled after all: then it is not rejected.
    if bytes(settled).is_some() {
        return None;
    }
    let rejected = record::read_rejected(bytes(rejected)?)?;
    let (id, amount) = (member.id, rejected.amount);
    Some(listing::rejected_line(
        id,
        amount,
        rejected.at,
        rejected.why,
    ))
}
