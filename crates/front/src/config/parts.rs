//! What each part of the process is told of the configuration.

use std::sync::Arc;

use anyhow::Context as _;
use feeway_domain::{ProcessorName, Standstill};
use feeway_health::BoardConfig;
use feeway_processor::{HttpProcessor, HttpProcessorConfig, ProcessorOption};
use feeway_store::{RedisConfig, Settings};
use feeway_worker::{Clock, WorkerConfig};
use uuid::Uuid;

use super::Config;
use crate::app::AppSettings;
use crate::limits::Limits;

/// Connections for look-ups, beside those for attempts: an eighth more, and at least as many
/// as the lanes may ask for at once.
const LOOK_UP_CONNECTIONS_MIN: usize = 16;

impl Config {
    /// The names of the processors, cheapest first.
    pub fn processor_names(&self) -> Vec<ProcessorName> {
        let names = self.processors.iter();
        names.map(|option| option.processor.name.clone()).collect()
    }

    /// For the app.
    pub fn app(&self) -> AppSettings {
        AppSettings {
            processors: self.processor_names(),
            deployment: self.deployment.clone(),
            allow_purge: self.allow_purge,
            limits: Limits::default(),
        }
    }

    /// For the store.
    pub fn redis(&self) -> RedisConfig {
        RedisConfig {
            max_open: self.max_open,
            retention: self.retention,
            keeps_identity: true,
            settings: if self.trust_store {
                Settings::Logged
            } else {
                Settings::Required
            },
            ..self.redis.config()
        }
    }

    /// For the board.
    pub fn board(&self) -> BoardConfig {
        BoardConfig {
            max_latency: self.max_latency,
            probe_interval: self.probe_interval,
            max_in_flight: self.max_in_flight,
        }
    }

    /// A client of each processor, cheapest first.
    ///
    /// # Errors
    /// When one of their files cannot be used, or the machine trusts nobody.
    pub fn clients(&self) -> anyhow::Result<Vec<HttpProcessor>> {
        let look_ups = (self.max_in_flight / 8).max(LOOK_UP_CONNECTIONS_MIN);
        let config = HttpProcessorConfig {
            max_connections: self.max_in_flight + look_ups,
            attempt_timeout: self.attempt_timeout,
            deployment: Some(self.deployment.clone()),
            ..HttpProcessorConfig::default()
        };
        let processors = self.processors.iter();
        processors
            .map(|ProcessorOption { processor, access }| {
                HttpProcessor::with_access(&processor.url, access, config.clone())
                    .with_context(|| format!("processor {}", processor.name))
            })
            .collect()
    }

    /// For the worker, which begins a new life with it, beside a store that says when it has to
    /// stand still.
    pub fn worker(&self, standstill: &Arc<Standstill>) -> WorkerConfig {
        let life = Uuid::new_v4().simple().to_string();
        WorkerConfig {
            life: format!("{}.{}", self.name, &life[..12]),
            processors: (self.processors.iter())
                .map(|option| option.processor.clone())
                .collect(),
            moved: self.moved.clone(),
            patience: self.patience,
            absence_after: self.absence_after,
            clock_slip: self.clock_slip,
            catch_up: self.catch_up,
            intake: self.intake.into(),
            dispatch: self.dispatch.into(),
            clock: Clock::System,
            standstill: Arc::clone(standstill),
        }
    }
}
