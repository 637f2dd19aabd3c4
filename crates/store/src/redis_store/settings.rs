//! What Redis's settings say about the promise that nothing accepted is lost.

use std::fmt;

use crate::redis_store::node::field;

/// What a program does about settings of Redis that break a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settings {
    /// It does not look: a tool is done in a moment.
    #[default]
    Ignored,
    /// It says so, once a minute.
    Logged,
    /// It stands still until they are right.
    Required,
}

/// A setting of Redis that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Redis may throw payments away, by this policy.
    Eviction(String),
    /// Redis keeps no append-only file.
    NoAppendOnlyFile,
    /// The program lacks these rights.
    Rights(String),
}

impl Breach {
    /// The label of each kind, as metrics have it.
    pub const LABELS: [&str; 3] = ["eviction", "appendonly", "rights"];

    /// Its label.
    pub fn label(&self) -> &'static str {
        let [eviction, append_only, rights] = Self::LABELS;
        match self {
            Self::Eviction(_) => eviction,
            Self::NoAppendOnlyFile => append_only,
            Self::Rights(_) => rights,
        }
    }
}

/// As a clause that may follow "because".
impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eviction(policy) => write!(
                f,
                "Redis throws payments away when its memory is full: its maxmemory-policy is \
                 {policy}, and has to be noeviction"
            ),
            Self::NoAppendOnlyFile => f.write_str(
                "Redis forgets every payment when it ends: it has no append-only file \
                 (appendonly has to be yes)",
            ),
            Self::Rights(missing) => write!(
                f,
                "the user of Redis lacks rights ({missing}); docs/operations.md has the ACL line"
            ),
        }
    }
}

/// How much memory Redis has and uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisMemory {
    /// Bytes that count against the limit.
    pub used: u64,
    /// The limit in bytes; 0 for none.
    pub limit: u64,
}

impl RedisMemory {
    /// Above this share of the limit somebody should see to it.
    const SCARCE_PERCENT: u64 = 90;

    /// Nothing of a Redis that does not tell.
    pub(crate) fn read(info: &str) -> Option<Self> {
        let number = |name| field(info, name).and_then(|text| text.parse::<u64>().ok());
        // What it needs for replicas and its file does not count, as Redis itself has it.
        let apart = number("mem_not_counted_for_evict").unwrap_or(0);
        Some(Self {
            used: number("used_memory")?.saturating_sub(apart),
            limit: number("maxmemory")?,
        })
    }

    pub(crate) fn is_full(self) -> bool {
        self.limit > 0 && self.used > self.limit
    }

    fn is_scarce(self) -> bool {
        self.limit > 0 && self.used / 100 >= self.limit / 100 * Self::SCARCE_PERCENT / 100
    }
}

/// What one look at Redis found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) breaches: Vec<Breach>,
    /// What somebody should know, and breaks nothing.
    pub(crate) remarks: Vec<String>,
    pub(crate) memory: Option<RedisMemory>,
}

/// Reads INFO, what CONFIG GET said of `appendfsync` or why it said nothing, and the rights that
/// are missing, or why they are not known.
pub(crate) fn judge(
    info: &str,
    appendfsync: &Result<Option<String>, String>,
    rights: &Result<Vec<String>, String>,
) -> Findings {
    let mut found = Findings {
        memory: RedisMemory::read(info),
        ..Findings::default()
    };
    let limit = found.memory.map_or(0, |memory| memory.limit);
    match field(info, "maxmemory_policy") {
        None => found.unchecked("maxmemory-policy", "INFO does not have it"),
        // Without a limit nothing is ever thrown away.
        Some(policy) if policy != "noeviction" && limit > 0 => {
            found.breaches.push(Breach::Eviction(policy.to_owned()));
        }
        Some(_) => {}
    }
    match field(info, "aof_enabled") {
        None => found.unchecked("appendonly", "INFO does not have it"),
        Some("1") => {}
        Some(_) => found.breaches.push(Breach::NoAppendOnlyFile),
    }
    match rights {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => found.breaches.push(Breach::Rights(missing.join(", "))),
        Err(why) => found.unchecked("rights", why),
    }
    match appendfsync {
        Ok(Some(how)) if how == "no" => found.remark(
            "appendfsync is no: a power cut loses what was accepted in the last half minute",
        ),
        Ok(Some(_)) => {}
        Ok(None) => found.unchecked("appendfsync", "CONFIG GET does not have it"),
        Err(why) => found.unchecked("appendfsync", why),
    }
    match found.memory {
        None => found.unchecked("memory", "INFO does not have it"),
        Some(memory) if memory.limit == 0 => {
            found.remark("Redis has no maxmemory: the machine's memory is the limit, and the kernel ends what goes beyond");
        }
        Some(memory) if memory.is_scarce() => {
            found.remark("nine tenths of the memory of Redis (maxmemory) are in use");
        }
        Some(_) => {}
    }
    found
}

impl Findings {
    fn remark(&mut self, what: &str) {
        self.remarks.push(what.to_owned());
    }

    fn unchecked(&mut self, what: &str, why: &str) {
        self.remarks
            .push(format!("{what} could not be checked: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "aof_enabled:1\r\nused_memory:10\r\nmaxmemory:1000\r\n\
                        mem_not_counted_for_evict:0\r\nmaxmemory_policy:noeviction\r\n";

    fn everysec() -> Result<Option<String>, String> {
        Ok(Some("everysec".to_owned()))
    }

    fn judged(info: &str) -> Findings {
        judge(info, &everysec(), &Ok(Vec::new()))
    }

    #[test]
    fn a_good_redis_is_silent() {
        let found = judged(GOOD);
        assert!(
            found.breaches.is_empty() && found.remarks.is_empty(),
            "{found:?}"
        );
        let memory = RedisMemory {
            used: 10,
            limit: 1000,
        };
        assert_eq!(found.memory, Some(memory));
    }

    #[test]
    fn what_breaks_a_promise_is_named() {
        for (from, to, label) in [
            ("noeviction", "allkeys-lru", "eviction"),
            ("noeviction", "volatile-ttl", "eviction"),
            ("aof_enabled:1", "aof_enabled:0", "appendonly"),
        ] {
            let found = judged(&GOOD.replace(from, to)).breaches;
            assert_eq!((found.len(), found[0].label()), (1, label), "{to}");
        }
        let rights = Ok(vec!["ZADD {0}:*".to_owned()]);
        let found = judge(GOOD, &everysec(), &rights).breaches;
        assert!(found[0].to_string().contains("ZADD {0}:*"), "{found:?}");
        let unlimited = GOOD
            .replace("noeviction", "allkeys-lru")
            .replace("1000", "0");
        assert!(
            judged(&unlimited).breaches.is_empty(),
            "it throws nothing away"
        );
    }

    #[test]
    fn what_is_only_worth_knowing_or_not_known_breaks_nothing() {
        let no: Result<Option<String>, String> = Ok(Some("no".to_owned()));
        let forbidden = Err("NOPERM".to_owned());
        for (info, fsync, rights, said) in [
            (GOOD.to_owned(), no, Ok(Vec::new()), "power cut"),
            (
                GOOD.to_owned(),
                forbidden,
                Ok(Vec::new()),
                "appendfsync could not be checked: NOPERM",
            ),
            (
                GOOD.to_owned(),
                everysec(),
                Err("gone".to_owned()),
                "rights could not be checked: gone",
            ),
            (
                GOOD.replace("maxmemory:1000", "maxmemory:0"),
                everysec(),
                Ok(Vec::new()),
                "no maxmemory",
            ),
            (
                GOOD.replace("used_memory:10", "used_memory:950"),
                everysec(),
                Ok(Vec::new()),
                "nine tenths",
            ),
            (
                GOOD.replace("aof_enabled", "aof"),
                everysec(),
                Ok(Vec::new()),
                "appendonly could not be checked",
            ),
            (
                GOOD.replace("maxmemory_policy", "policy"),
                everysec(),
                Ok(Vec::new()),
                "maxmemory-policy could not",
            ),
        ] {
            let found = judge(&info, &fsync, &rights);
            assert!(found.breaches.is_empty(), "{found:?}");
            assert_eq!(found.remarks.len(), 1, "{found:?}");
            assert!(found.remarks[0].contains(said), "{found:?}");
        }
    }

    #[test]
    fn buffers_do_not_fill_a_redis() {
        for (used, apart, limit, is_full) in [
            (100, 0, 0, false),
            (100, 0, 100, false),
            (101, 0, 100, true),
            (101, 1, 100, false),
        ] {
            let info = format!(
                "used_memory:{used}\r\nmem_not_counted_for_evict:{apart}\r\nmaxmemory:{limit}\r\n"
            );
            assert_eq!(
                RedisMemory::read(&info).unwrap().is_full(),
                is_full,
                "{info}"
            );
        }
        assert_eq!(RedisMemory::read(""), None);
    }
}
