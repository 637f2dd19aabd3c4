//! How Redis is, as far as this program knows.

use std::sync::Arc;

use feeway_domain::Standstill;
use tokio::sync::watch;

use crate::redis::Redis;
use crate::settings::{Breach, RedisMemory};
use crate::standing::{Trouble, Unusable};

impl Redis {
    /// Waits until Redis was there once, with our functions and data that we know. The
    /// error is final: Redis holds data of another schema, or lacks functions that this
    /// program does not bring. Cancel safe.
    pub async fn ready(&self) -> Result<(), Unusable> {
        self.shared().standing.ready().await
    }

    /// Whether Redis can be reached now, as far as is known.
    pub fn is_up(&self) -> bool {
        self.shared().standing.is_up()
    }

    /// What keeps this program from using Redis now, as far as is known.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared().standing.trouble()
    }

    /// Why nothing new may be started, or no new payments are accepted, because of Redis.
    pub fn standstill(&self) -> &Arc<Standstill> {
        &self.shared().standstill
    }

    /// Which settings of Redis broke a promise when they were last looked at.
    pub fn breaches(&self) -> Vec<Breach> {
        self.shared().inspection.breaches()
    }

    /// The memory of Redis when it was last looked at.
    pub fn memory(&self) -> Option<RedisMemory> {
        self.shared().inspection.memory()
    }

    /// Counts how often Redis came back after it had been away or had restarted. For one
    /// heartbeat after each nobody should adopt: others may still be repeating what it
    /// forgot.
    pub fn restarts(&self) -> watch::Receiver<u64> {
        self.shared().standing.restarts()
    }
}
