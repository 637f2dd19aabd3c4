//! What Redis's settings say about the promise that nothing accepted is lost.

use std::fmt;

use crate::node::field;

/// What a program does about unsafe settings of Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settings {
    /// It does not look: a tool is done in a moment.
    #[default]
    Ignored,
    /// It says so, once a minute.
    Logged,
    /// It accepts and starts nothing until they are right.
    Required,
}

/// An unsafe setting of Redis: with it accepted payments may be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Redis may throw payments away, by this policy.
    Eviction(String),
    /// Redis keeps no append-only file.
    NoAppendOnlyFile,
    /// The program lacks these rights.
    Rights(Vec<String>),
}

/// Of the rights that are missing so many are named: clients read it too.
const RIGHTS_NAMED: usize = 4;

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
                "Redis evicts payments when its memory is full: its maxmemory-policy is {policy} \
                 and must be noeviction"
            ),
            Self::NoAppendOnlyFile => f.write_str(
                "Redis loses every payment when it stops: it has no append-only file, or no \
                 complete one yet (appendonly must be yes)",
            ),
            Self::Rights(missing) => {
                let first = missing.iter().take(RIGHTS_NAMED);
                let first: Vec<&str> = first.map(String::as_str).collect();
                write!(f, "the Redis user lacks rights: {}", first.join(", "))?;
                match missing.len().checked_sub(RIGHTS_NAMED) {
                    None | Some(0) => Ok(()),
                    Some(others) => write!(f, " and {others} more"),
                }
            }
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
        let (used, line) = (
            self.used.saturating_mul(100),
            self.limit.saturating_mul(Self::SCARCE_PERCENT),
        );
        self.limit > 0 && used >= line
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

/// What Redis told when it was asked.
pub(crate) struct Told {
    /// Of INFO the sections `memory` and `persistence`.
    pub(crate) info: String,
    /// What CONFIG GET said, or why it said nothing: managed services forbid it.
    pub(crate) appendfsync: Result<Option<String>, String>,
    /// The rights that are missing, or why they are not known.
    pub(crate) rights: Result<Vec<String>, String>,
}

/// What it means, after what was found before.
pub(crate) fn judge(told: &Told, before: &Findings) -> Findings {
    let mut found = Findings {
        memory: RedisMemory::read(&told.info),
        ..Findings::default()
    };
    match field(&told.info, "maxmemory_policy") {
        None => found.unchecked("maxmemory-policy", "INFO does not show it"),
        // Also without a limit: with the next one it throws payments away at once.
        Some(policy) if policy != "noeviction" => {
            found.breaches.push(Breach::Eviction(policy.to_owned()));
        }
        Some(_) => {}
    }
    match field(&told.info, "aof_enabled") {
        None => found.unchecked("appendonly", "INFO does not show it"),
        Some("1") if !(before.lacks_a_file() && is_writing_the_file(&told.info)) => {}
        Some(_) => found.breaches.push(Breach::NoAppendOnlyFile),
    }
    match &told.rights {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => found.breaches.push(Breach::Rights(missing.clone())),
        Err(why) => found.unchecked("rights", why),
    }
    match &told.appendfsync {
        Ok(Some(how)) if how == "no" => found.remark(
            "appendfsync is no: a power failure loses what was accepted in the last half minute",
        ),
        Ok(Some(_)) => {}
        Ok(None) => found.unchecked("appendfsync", "CONFIG GET does not show it"),
        Err(why) => found.unchecked("appendfsync", why),
    }
    match found.memory {
        None => found.unchecked("memory", "INFO does not show it"),
        Some(memory) if memory.limit == 0 => found.remark(
            "there is no maxmemory: when the machine runs out of memory, the kernel kills Redis",
        ),
        Some(memory) if memory.is_scarce() => {
            found.remark("Redis uses more than nine tenths of its memory (maxmemory)");
        }
        Some(_) => {}
    }
    found
}

/// One that was switched on counts once it holds all that was there before.
fn is_writing_the_file(info: &str) -> bool {
    let has = |name, value| field(info, name) == Some(value);
    has("aof_rewrite_in_progress", "1")
        || has("aof_rewrite_scheduled", "1")
        || has("aof_last_bgrewrite_status", "err")
}

impl Findings {
    fn lacks_a_file(&self) -> bool {
        self.breaches.contains(&Breach::NoAppendOnlyFile)
    }

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

    fn told(info: &str) -> Told {
        Told {
            info: info.to_owned(),
            appendfsync: everysec(),
            rights: Ok(Vec::new()),
        }
    }

    fn judged(info: &str) -> Findings {
        judge(&told(info), &Findings::default())
    }

    #[test]
    fn a_sound_redis_has_no_findings() {
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
    fn unsafe_settings_are_named() {
        let unlimited = GOOD.replace("maxmemory:1000", "maxmemory:0");
        for (info, from, to, label) in [
            (GOOD, "noeviction", "allkeys-lru", "eviction"),
            (GOOD, "noeviction", "volatile-ttl", "eviction"),
            (&unlimited, "noeviction", "allkeys-lru", "eviction"),
            (GOOD, "aof_enabled:1", "aof_enabled:0", "appendonly"),
        ] {
            let found = judged(&info.replace(from, to)).breaches;
            assert_eq!((found.len(), found[0].label()), (1, label), "{to}");
        }
    }

    #[test]
    fn only_the_first_missing_rights_are_named() {
        for (missing, said) in [
            (1, "lacks rights: right 0"),
            (4, "right 2, right 3"),
            (70, "right 3 and 66 more"),
        ] {
            let rights = (0..missing).map(|number| format!("right {number}"));
            let told = Told {
                rights: Ok(rights.collect()),
                ..told(GOOD)
            };
            let found = judge(&told, &Findings::default()).breaches;
            assert_eq!((found.len(), found[0].label()), (1, "rights"));
            assert!(found[0].to_string().ends_with(said), "{}", found[0]);
        }
    }

    #[test]
    fn a_file_that_was_switched_on_counts_once_it_is_whole() {
        let without = judged(&GOOD.replace("aof_enabled:1", "aof_enabled:0"));
        for writing in [
            "aof_rewrite_in_progress:1",
            "aof_rewrite_scheduled:1",
            "aof_last_bgrewrite_status:err",
        ] {
            let told = told(&format!("{GOOD}{writing}\r\n"));
            assert_eq!(
                judge(&told, &without).breaches,
                [Breach::NoAppendOnlyFile],
                "{writing}"
            );
            let with = judge(&told, &Findings::default());
            assert!(with.breaches.is_empty(), "one is written anew: {writing}");
        }
        let whole = told(
            "aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n\
                          aof_last_bgrewrite_status:ok\r\nmaxmemory_policy:noeviction\r\n",
        );
        assert!(judge(&whole, &without).breaches.is_empty());
    }

    #[test]
    fn remarks_and_unknown_settings_are_not_unsafe() {
        let no: Result<Option<String>, String> = Ok(Some("no".to_owned()));
        let forbidden = Err("NOPERM".to_owned());
        let gone = Err("gone".to_owned());
        for (from, to, appendfsync, rights, said) in [
            ("", "", no, Ok(Vec::new()), "power failure"),
            (
                "",
                "",
                forbidden,
                Ok(Vec::new()),
                "appendfsync could not be checked: NOPERM",
            ),
            (
                "",
                "",
                everysec(),
                gone,
                "rights could not be checked: gone",
            ),
            (
                "maxmemory:1000",
                "maxmemory:0",
                everysec(),
                Ok(Vec::new()),
                "no maxmemory",
            ),
            (
                "used_memory:10",
                "used_memory:900",
                everysec(),
                Ok(Vec::new()),
                "nine tenths",
            ),
            (
                "aof_enabled",
                "aof",
                everysec(),
                Ok(Vec::new()),
                "appendonly could not be checked",
            ),
            (
                "maxmemory_policy",
                "policy",
                everysec(),
                Ok(Vec::new()),
                "maxmemory-policy could not",
            ),
        ] {
            let told = Told {
                info: GOOD.replace(from, to),
                appendfsync,
                rights,
            };
            let found = judge(&told, &Findings::default());
            assert!(found.breaches.is_empty(), "{found:?}");
            assert_eq!(found.remarks.len(), 1, "{found:?}");
            assert!(found.remarks[0].contains(said), "{found:?}");
        }
        let nearly = judged(&GOOD.replace("used_memory:10", "used_memory:899"));
        assert!(nearly.remarks.is_empty(), "{nearly:?}");
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
