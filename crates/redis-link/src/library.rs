//! The functions in Redis: of which version they are, and whether ours take their place.
//!
//! A program replaces only older ones, so of several releases the newest brings the functions,
//! whoever connects last. Functions of one name keep their keys, arguments and answers, so an
//! older program goes on with newer ones.

use std::collections::BTreeSet;

use feeway_redis_layout::LIBRARY;
use feeway_redis_layout::reply::bytes;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};
use tracing::info;

use crate::connect_error::ConnectError;
use crate::link::words;

const NAME: &str = "feeway_v1";

/// The version that the text has; the same as in its own `VERSION`.
const VERSION: u32 = 9;

/// The function whose description tells the version. Functions without it are older than all.
const TELLS_VERSION: &str = "feeway_version";
const DESCRIBED: &str = "version ";

/// What a program calls that only reads.
const READS: [&str; 6] = [
    "queued",
    "lines",
    "stand_backs",
    "fronts",
    "read_together",
    "run_state",
];

/// What all others call as well.
const WRITES: [&str; 37] = [
    "accept_all",
    "adopt",
    "ask",
    "asked",
    "beat",
    "census",
    "confirm_stand_back",
    "decide_held",
    "decide_not_held",
    "discharge",
    "end_stand_back",
    "enlist",
    "enlist_at",
    "forget_freed",
    "freed",
    "known_all",
    "lease",
    "note_answered",
    "note_freed",
    "note_restamp",
    "publish",
    "purge",
    "reject",
    "rename",
    "reopen",
    "resign",
    "resolve_held",
    "resolve_not_held",
    "restore_entry",
    "restore_hold",
    "restore_reject",
    "restore_sites",
    "retire",
    "settle_all",
    "stand_back",
    "trust_look_up",
    "vacate",
];

/// How often to look again when others bring functions at the same moment.
const LOOKS: usize = 4;

/// Redis lacks functions that this program calls, and this program does not bring them: it
/// only reads, or those that are there are newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFunctions {
    /// Their names.
    pub missing: Vec<&'static str>,
    /// The version of those that are there; nothing when there are none at all.
    pub found: Option<u32>,
}

impl std::fmt::Display for MissingFunctions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing = self.missing.join(", ");
        match self.found {
            None => f.write_str(
                "Redis has none of Feeway's functions. A front loads them when it starts; \
                 this program only reads and loads nothing",
            ),
            Some(found) if found < VERSION => write!(
                f,
                "Redis has version {found} of Feeway's functions, which lacks {missing}; this \
                 program needs version {VERSION} and, since it only reads, does not load it. Use \
                 the program of the fronts' release, or start a front of this release first"
            ),
            Some(found) => write!(
                f,
                "Redis has version {found} of Feeway's functions, which lacks {missing}; this \
                 program needs version {VERSION} and does not replace a newer one. Use a program \
                 of a newer release"
            ),
        }
    }
}

impl std::error::Error for MissingFunctions {}

/// What is in Redis.
#[derive(Debug, Default)]
struct Found {
    is_there: bool,
    /// 0 of functions that do not tell.
    version: u32,
    functions: BTreeSet<String>,
}

impl Found {
    fn lacks(&self, only_reads: bool) -> Vec<&'static str> {
        let writes = WRITES.iter().filter(|_| !only_reads);
        let missing = READS.iter().chain(writes);
        let missing = missing.filter(|name| !self.functions.contains(**name));
        missing.copied().collect()
    }

    fn missing(&self, missing: Vec<&'static str>) -> MissingFunctions {
        MissingFunctions {
            missing,
            found: self.is_there.then_some(self.version),
        }
    }
}

/// Sees that Redis has what this program calls. Older functions are replaced. Where that is
/// refused, as at maxmemory, they do as long as they have every function that is called: then
/// this says why they were not replaced.
pub(crate) async fn provide(
    connection: &mut MultiplexedConnection,
    only_reads: bool,
) -> Result<Option<String>, ConnectError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let found = look(connection).await?;
        let lacks = found.lacks(only_reads);
        if only_reads || found.is_there && found.version >= VERSION {
            return if lacks.is_empty() {
                Ok(None)
            } else {
                Err(found.missing(lacks).into())
            };
        }
        let was = found.is_there.then_some(found.version);
        match load(connection, found.is_there).await {
            Ok(()) => {
                info!(version = VERSION, was, "loaded the functions into Redis");
                return Ok(None);
            }
            // Somebody was faster. What they brought is looked at like any other.
            Err(error) if looks < LOOKS && is_taken(&error) => {}
            Err(error) if lacks.is_empty() && error.code().is_some() => {
                return Ok(Some(words(&error)));
            }
            Err(error) if error.code().is_some() => {
                let missing = lacks.join(", ");
                return Err(ConnectError::NotLoaded { missing, error });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn look(connection: &mut MultiplexedConnection) -> Result<Found, RedisError> {
    let listed: Value = redis::cmd("FUNCTION")
        .arg("LIST")
        .arg("LIBRARYNAME")
        .arg(NAME)
        .query_async(connection)
        .await?;
    Ok(read_list(&listed))
}

/// Without REPLACE where nothing was: whoever comes at the same moment is not replaced unseen.
async fn load(connection: &mut MultiplexedConnection, replace: bool) -> Result<(), RedisError> {
    let mut load = redis::cmd("FUNCTION");
    load.arg("LOAD");
    if replace {
        load.arg("REPLACE");
    }
    load.arg(LIBRARY).exec_async(connection).await
}

fn is_taken(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    detail.contains("already exists")
}

/// Reads the reply of FUNCTION LIST, which is a list of maps in maps.
fn read_list(listed: &Value) -> Found {
    let Value::Array(libraries) = listed else {
        return Found::default();
    };
    let Some(library) = libraries.first() else {
        return Found::default();
    };
    let mut found = Found {
        is_there: true,
        ..Found::default()
    };
    let functions = member(library, "functions");
    let Some(Value::Array(functions)) = functions else {
        return found;
    };
    for function in functions {
        let Some(name) = text(member(function, "name")) else {
            continue;
        };
        if name == TELLS_VERSION {
            let described = text(member(function, "description"));
            let version = described.and_then(|text| text.strip_prefix(DESCRIBED)?.parse().ok());
            found.version = version.unwrap_or(0);
        }
        found.functions.insert(name.to_owned());
    }
    found
}

fn member<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let Value::Map(members) = map else {
        return None;
    };
    let mut members = members.iter();
    let found = members.find(|(key, _)| bytes(key) == Some(name.as_bytes()));
    found.map(|(_, value)| value)
}

fn text(value: Option<&Value>) -> Option<&str> {
    std::str::from_utf8(bytes(value?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64-bit FNV-1a: a few lines that say whether a text is another one.
    fn digest(text: &str) -> u64 {
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
            (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn a_changed_text_has_a_greater_version() {
        const KNOWN: (u32, u64) = (9, 0xa8c4_1bb5_c8cb_c0c5);
        let (version, digest) = (VERSION, digest(LIBRARY));
        assert_eq!(
            (version, digest),
            KNOWN,
            "the functions have changed: no program replaces functions of its own version, so \
             raise VERSION there and here, and note ({version} + 1, {digest:#x}) as known"
        );
    }

    /// What a function calls has to be among the rights that are asked for.
    #[test]
    fn every_command_is_among_the_rights() {
        let (before, list) = LIBRARY.split_once("local KEYED = {").unwrap();
        let (list, after) = list.split_once("local function rights").unwrap();
        let calls = [before, after].map(|text| text.split("call('").skip(1));
        for call in calls.into_iter().flatten() {
            let command = call.split('\'').next().unwrap();
            assert!(list.contains(&format!("'{command}'")), "{command}");
        }
    }

    #[test]
    fn the_lua_text_and_the_code_have_the_same_version() {
        let line = format!("local VERSION = '{VERSION}'");
        assert!(LIBRARY.lines().any(|one| one == line), "{line}");
    }
}
