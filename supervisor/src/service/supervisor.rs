//! A running supervisor: what all of it share, and what can be told it while it runs.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use muster_intake::rabbitmq::BrokerHealth;
use muster_store::Store;
use muster_system::process::Guard;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::broker_status::BrokerStatus;
use super::core::Core;
use super::data_dir::DataDir;
use super::database_status::DatabaseStatus;
use super::figures::FigureNotes;
use super::submits::SubmitGroups;
use crate::access::KnownTokens;
use crate::dispatch::{DispatchClaims, IntakeClosed, Preparer};
use crate::liveness::Liveness;
use crate::secret_keys::SecretKeys;
use crate::settings::Settings;

/// A supervisor that runs, with all that others ask it for.
#[derive(Debug)]
pub struct Supervisor {
    /// What it was started with, or told since.
    pub settings: RwLock<Settings>,
    /// What it was started with: some settings count from a start on only.
    pub(super) started_with: Settings,
    /// When it was started.
    pub started_at: Timestamp,
    /// The rooms between a claim and its outcome.
    pub core: Core,
    /// The record.
    pub store: Arc<dyn Store>,
    /// Where single submits become transactions.
    pub(super) submits: Arc<SubmitGroups>,
    /// What comes is claimed by.
    pub(super) claims: Arc<DispatchClaims>,
    /// How each queue of the broker is, where there is one.
    pub(super) broker: OnceLock<Vec<watch::Receiver<BrokerHealth>>>,
    /// What waits in the broker, where there is one.
    pub(super) backlog: OnceLock<BrokerStatus>,
    pub(super) preparer: Arc<Preparer>,
    /// What secrets are encrypted with.
    pub(super) secret_keys: Arc<SecretKeys>,
    /// Who is let in over HTTP beside the holder of the token of the settings.
    pub(super) tokens: Arc<KnownTokens>,
    /// What the database said last.
    pub(super) known: DatabaseStatus,
    /// What it notes for charts.
    pub(super) figures: tokio::sync::Mutex<FigureNotes>,
    /// When its vital loops last turned.
    pub liveness: Arc<Liveness>,
    /// How settings are read again.
    pub(super) reload: ReloadSettings,
    pub(super) stop_intake: CancellationToken,
    pub(super) data_dir: DataDir,
    /// It is dismissed when all else has ended.
    pub(super) _guard: Option<Guard>,
}

/// Reads the settings again, from where they were read first.
pub struct ReloadSettings(Box<dyn Fn() -> Result<Settings, String> + Send + Sync>);

impl ReloadSettings {
    /// Wraps the function that reads the settings; it fails with what a person should read.
    pub fn with(read: impl Fn() -> Result<Settings, String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }
}

impl std::fmt::Debug for ReloadSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

impl Supervisor {
    /// Reads the settings again and rolls the workers. What cannot change in a running supervisor is named.
    ///
    /// # Errors
    /// The problems of the settings; nothing changed then.
    pub fn reload(&self) -> Result<(), String> {
        let new = (self.reload.0)()?;
        let fixed = new.fixed_since(&self.started_with);
        // Workers are told where the API listens, and that is where it did.
        let mut of_workers = new.clone();
        of_workers.http_bind = self.started_with.http_bind;
        let mut spec = super::core::worker_spec(&of_workers).map_err(|error| error.to_string())?;
        if let Some(folders) = &self.core.temporary {
            spec.launch_in(folders);
        }
        let pool = super::core::pool_config(&new, None);
        self.core.slots.set_workers(new.max_workers);
        self.preparer.set_default_timeout(new.execution_timeout);
        self.core.descriptions.set_workflows_dir(super::core::absolute_workflows_dir(&new));
        self.core.executor.handle().reload(spec, pool);
        super::workflows_dir::say_if_missing(&new);
        if !fixed.is_empty() {
            tracing::warn!(settings = fixed.join(", "), "changed settings that count from the next start on");
        }
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The settings that were changed since the start and count from the next one on.
    pub(super) fn settings_of_the_next_start(&self) -> Vec<String> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.fixed_since(&self.started_with).into_iter().map(str::to_owned).collect()
    }

    /// The path of the data directory.
    pub fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    /// Nothing more is claimed from here on.
    pub fn stop_intake(&self) {
        self.core.slots.close(IntakeClosed::Draining);
        self.stop_intake.cancel();
    }
}
