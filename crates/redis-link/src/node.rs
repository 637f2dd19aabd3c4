//! Which Redis is at the other end of a connection.

use redis::RedisError;
use redis::aio::MultiplexedConnection;

/// What Redis says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// One life of the server, with the data of one history, as the functions name it: its run and
    /// the replication ID, which changes when it is promoted.
    pub(crate) run: String,
    /// It follows another one and takes no writes.
    pub(crate) is_replica: bool,
    /// As `7.0.15`.
    pub(crate) version: String,
}

/// The oldest that has functions.
const OLDEST: u32 = 7;

impl Node {
    pub(crate) fn is_too_old(&self) -> bool {
        let major = self.version.split('.').next();
        major
            .and_then(|major| major.parse().ok())
            .is_some_and(|major: u32| major < OLDEST)
    }
}

/// Asks. Nothing when it does not say which run it is.
pub(crate) async fn node(
    connection: &mut MultiplexedConnection,
) -> Result<Option<Node>, RedisError> {
    let info: String = redis::cmd("INFO")
        .arg(&["server", "replication"])
        .query_async(connection)
        .await?;
    Ok(read_node(&info))
}

fn read_node(info: &str) -> Option<Node> {
    Some(Node {
        run: format!(
            "{}:{}",
            field(info, "run_id")?,
            field(info, "master_replid")?
        ),
        is_replica: field(info, "role") == Some("slave"),
        version: field(info, "redis_version").unwrap_or_default().to_owned(),
    })
}

/// A line `name:value` of INFO.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_tells_its_run_and_its_role() {
        let info = "# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\n\r\n# Replication\r\nmaster_replid:def\r\nrole:";
        for (role, is_replica) in [("master", false), ("slave", true)] {
            let node = read_node(&format!("{info}{role}\r\n")).unwrap();
            assert_eq!(
                (node.run.as_str(), node.is_replica),
                ("abc:def", is_replica)
            );
        }
        assert_eq!(read_node("# Server\r\nrun_id_other:abc\r\n"), None);
    }

    #[test]
    fn only_a_version_that_is_told_can_be_too_old() {
        for (version, is_too_old) in [
            ("6.2.14", true),
            ("7.0.0", false),
            ("7.2.4", false),
            ("10.0.1", false),
            ("", false),
        ] {
            let info = format!("redis_version:{version}\r\nrun_id:abc\r\nmaster_replid:def\r\n");
            let node = read_node(&info).unwrap();
            assert_eq!(node.is_too_old(), is_too_old, "{version}");
        }
    }
}
