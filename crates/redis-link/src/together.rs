//! Several reads of one moment.

use feeway_domain::StoreFault;
use feeway_redis_layout::reply::{Reply, parsed, unreadable};
use redis::{Cmd, ToRedisArgs, Value};

use crate::redis::Redis;

/// What follows a key after which nothing follows.
pub const NOTHING: Option<&str> = None;

/// Reads that see one state of Redis. A function carries them out, because Redis 7.0 refuses
/// MULTI at maxmemory, whatever is in it.
#[derive(Debug, Default)]
pub struct Together {
    keys: Vec<String>,
    words: Vec<Vec<u8>>,
}

impl Together {
    /// One more: a command, its key, and what follows.
    pub fn read(
        &mut self,
        command: &str,
        key: impl Into<String>,
        arguments: &impl ToRedisArgs,
    ) -> &mut Self {
        let arguments = arguments.to_redis_args();
        self.keys.push(key.into());
        self.words.push(command.as_bytes().to_vec());
        self.words.push(arguments.len().to_string().into_bytes());
        self.words.extend(arguments);
        self
    }

    fn command(&self) -> Cmd {
        let mut call = redis::cmd("FCALL");
        call.arg("read_together").arg(self.keys.len());
        call.arg(&self.keys).arg(&self.words);
        call
    }
}

impl Redis {
    /// The reply to each, and the time of Redis's clock in microseconds.
    pub async fn read_at_once(&self, reads: &Together) -> Result<(Vec<Value>, i64), StoreFault> {
        let reply = Reply::new(self.read(reads.command()).await?)?;
        let Some((time, found)) = reply.parts().split_last() else {
            return reply.unreadable();
        };
        let time = parsed(time).ok_or_else(|| unreadable(&reply))?;
        Ok((found.to_vec(), time))
    }
}
