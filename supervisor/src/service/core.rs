//! What the service and a batch have in common: an executor, the dispatcher in front of it, the finalizer behind it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_bus::Bus;
use muster_core::pool::{Isolation, PoolConfig};
use muster_protocol::{JsonBytes, LogLevel, PROTOCOL_ENV, PROTOCOL_VERSION};
use muster_store::{Claimant, OutcomeStore, ServedQueues, StateStore};
use muster_system::process::{Launch, LaunchError, OrphanedWorkers, WorkerLeaves};
use muster_system::temporary::TemporaryFolders;
use muster_system::vital;
use secrecy::ExposeSecret;
use tokio_util::task::TaskTracker;

use super::confinement::{ConfinementError, confined};
use crate::descriptions::Descriptions;
use crate::dispatch::{
    AfterFailure, DispatchParts, Dispatcher, InFlight, Prepare, Slots, StartHealth, WiredDispatch,
};
use crate::executor::{Executor, ExecutorError, ExecutorOptions, WorkerSpec};
use crate::finalize::{Admission, FinalizedSink, Finalizer, OutboxError, RefusedOutcome, SpillFiles};
use crate::observe::SupervisorMetrics;
use crate::settings::{Settings, TemplatePolicy, TranscriptPolicy, WorkerVariable};
use crate::transcripts::{TranscriptFolder, TranscriptFolderError, TranscriptKeeper};

/// How often the rate of outcomes is looked at, for claiming ahead.
const RATE_EVERY: Duration = Duration::from_millis(100);

/// How long claimed attempts may take to be handed to the executor when a drain begins.
const PREPARED_WITHIN: Duration = Duration::from_secs(5);

/// The running middle of a supervisor.
#[derive(Debug)]
pub struct Core {
    /// The identity under which rows are claimed.
    pub claimant: Claimant,
    /// The bus for live views and the cache.
    pub bus: Bus,
    /// The slots, without which nothing is claimed.
    pub slots: Arc<Slots>,
    /// The registry of the attempts that are held.
    pub in_flight: Arc<InFlight>,
    /// The room that takes in what was claimed.
    pub dispatcher: Arc<Dispatcher>,
    /// The thread that commands the workers.
    pub executor: Executor,
    /// Whether workers start as they should.
    pub health: Arc<StartHealth>,
    /// The metrics that all rooms count in.
    pub metrics: Arc<SupervisorMetrics>,
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<TranscriptKeeper>>,
    /// What workers described of their workflows.
    pub descriptions: Arc<Descriptions>,
    /// Where workers have temporary folders.
    pub temporary: Option<Arc<TemporaryFolders>>,
    /// Passes on what the executor tells.
    reporting: TaskTracker,
    finalizer: Finalizer,
}

/// What a core is made of.
#[derive(Debug)]
pub struct CoreParts {
    /// The identity under which rows are claimed.
    pub claimant: Claimant,
    /// Where outcomes are written.
    pub outcomes: Arc<dyn OutcomeStore>,
    /// Where runs read their state.
    pub state: Arc<dyn StateStore>,
    /// The bus for live views and the cache.
    pub bus: Bus,
    /// The registry of the attempts that are held.
    pub in_flight: Arc<InFlight>,
    /// The slots, without which nothing is claimed.
    pub slots: Arc<Slots>,
    /// What hears of every commit.
    pub sink: Arc<dyn FinalizedSink>,
    /// Makes of requests what workers are told.
    pub preparer: Arc<dyn Prepare>,
    /// The metrics that all rooms count in.
    pub metrics: Arc<SupervisorMetrics>,
    /// Where outcomes wait on disk while the store is out of reach; a batch has none.
    pub outbox: Option<SpillFiles>,
    /// The record of started workers; `None` when none is kept.
    pub orphaned_workers: Option<OrphanedWorkers>,
    /// Where workers get control groups of their own, if they do.
    pub leaves: Option<Arc<WorkerLeaves>>,
    /// A batch gives up after so many failed starts; a service never does.
    pub give_up_after: Option<u32>,
    /// Whether a failure ends a batch.
    pub after_failure: AfterFailure,
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<TranscriptKeeper>>,
    /// What workers described of their workflows.
    pub descriptions: Arc<Descriptions>,
    /// Other supervisors claim from the same store.
    pub shares_store: bool,
}

impl Core {
    /// Starts the executor with the dispatcher before it and the finalizer behind it.
    ///
    /// # Errors
    /// When the system refuses a thread or descriptors.
    pub fn start(settings: &Settings, parts: CoreParts) -> Result<Self, CoreError> {
        let CoreParts {
            claimant,
            outcomes,
            state,
            bus,
            in_flight,
            slots,
            sink,
            preparer,
            metrics,
            outbox,
            orphaned_workers,
            leaves,
            give_up_after,
            after_failure,
            transcripts,
            descriptions,
            shares_store,
        } = parts;
        let finalizer = Finalizer::start(outcomes, sink, Arc::clone(&slots) as Arc<dyn Admission>, outbox)?;
        let pool = pool_config(settings, give_up_after);
        let mut spec = worker_spec(settings)?;
        let temporary = temporary_folders();
        if let Some(folders) = &temporary {
            spec.launch_in(folders);
        }
        if transcripts.is_none() {
            spec.transcribe = TranscriptPolicy::None;
        }
        let options =
            ExecutorOptions { pool, spec, orphaned_workers, leaves, descriptions: Arc::clone(&descriptions) };
        let (executor, events) = Executor::start(options)?;
        let dispatch = DispatchParts {
            claimant: claimant.clone(),
            state,
            bus: bus.clone(),
            in_flight: Arc::clone(&in_flight),
            slots: Arc::clone(&slots),
            preparer,
            finalizer: finalizer.clone(),
            metrics: Arc::clone(&metrics),
            after_failure,
            transcripts: transcripts.clone(),
            shares_store,
        };
        let WiredDispatch { dispatcher, health, short_ended, reporting } =
            dispatch.wire(executor.handle(), events);
        tokio::spawn(vital::serving("rate", watch_rate(Arc::downgrade(&slots), short_ended)));
        Ok(Self {
            claimant,
            bus,
            slots,
            in_flight,
            dispatcher,
            executor,
            health,
            metrics,
            transcripts,
            descriptions,
            temporary,
            reporting,
            finalizer,
        })
    }

    /// Returns when what an earlier process could not write is written. Claim nothing before.
    pub async fn replayed(&self) {
        self.finalizer.replayed().await;
    }

    /// How many outcomes would be lost with this process.
    pub fn in_memory_only(&self) -> usize {
        self.finalizer.backlog()
    }

    /// The outcomes that the database refuses although it takes others.
    pub fn refused(&self) -> Vec<RefusedOutcome> {
        self.finalizer.refused()
    }

    /// Returns when what was claimed has reached the executor. Claim nothing meanwhile, and drain after: an executor that has
    /// drained hears of nothing more.
    pub async fn prepared(&self) {
        let deadline = tokio::time::Instant::now() + PREPARED_WITHIN;
        while self.in_flight.is_preparing() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns when the executor has ended and every outcome it reported is committed, or kept in the outbox. Call after a drain.
    pub async fn drained(&self) {
        self.executor.ended().await;
        self.reporting.wait().await;
        self.finalizer.flushed().await;
        if let Some(transcripts) = &self.transcripts {
            transcripts.flushed().await;
        }
        if let Some(folders) = self.temporary.clone() {
            // What cannot be removed now is removed at the next start.
            let _ = tokio::task::spawn_blocking(move || folders.close()).await;
        }
    }
}

/// The middle of a supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The setting `worker_command` is no command.
    #[error(transparent)]
    WorkerSpec(#[from] WorkerSpecError),
    /// The executor's thread cannot start.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The outbox cannot be opened.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The folder of transcripts cannot be used.
    #[error(transparent)]
    Transcripts(#[from] TranscriptFolderError),
    /// The thread that writes transcripts cannot start.
    #[error("the thread that writes transcripts cannot start: {0}; raise the limit on threads")]
    Thread(#[from] std::io::Error),
}

/// What workers are started with cannot be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum WorkerSpecError {
    /// The command.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Its walls.
    #[error(transparent)]
    Confinement(#[from] ConfinementError),
}

/// Tells the slots how many short executions end, for claiming ahead.
async fn watch_rate(slots: std::sync::Weak<Slots>, short_ended: Arc<AtomicUsize>) {
    let mut every = tokio::time::interval(RATE_EVERY);
    let mut before = 0;
    loop {
        every.tick().await;
        let Some(slots) = slots.upgrade() else { return };
        let now = short_ended.load(Ordering::Relaxed);
        slots.set_rate(now - before, RATE_EVERY);
        before = now;
    }
}

/// Where transcripts are kept: in the data directory. Whether there are any may change while a supervisor runs.
///
/// # Errors
/// When the folder cannot be made, or the system refuses a thread.
pub fn transcripts(
    settings: &Settings,
    data_dir: &std::path::Path,
) -> Result<Arc<TranscriptKeeper>, CoreError> {
    let max_bytes = settings.transcripts_max_mb.unwrap_or(u64::MAX >> 20).saturating_mul(1024 * 1024);
    let folder = TranscriptFolder::open(data_dir.join("transcripts"), max_bytes)?;
    Ok(TranscriptKeeper::start(folder)?)
}

/// Derives from the settings what the pool decides by.
pub fn pool_config(settings: &Settings, give_up_after: Option<u32>) -> PoolConfig {
    let megabyte = 1024 * 1024;
    PoolConfig {
        min_workers: settings.min_workers,
        max_workers: settings.max_workers,
        isolation: settings.isolation,
        template: settings.template == TemplatePolicy::Auto,
        graceful_shutdown: settings.graceful_shutdown,
        recycle_after_executions: u32::try_from(settings.recycle_after_executions.unwrap_or(0))
            .unwrap_or(u32::MAX),
        recycle_after: settings.recycle_after.unwrap_or_default(),
        memory_limit_bytes: settings.max_worker_memory_mb.unwrap_or(0).saturating_mul(megabyte),
        worker_idle: settings.worker_idle,
        worker_start: settings.worker_start,
        scale_up_wait: settings.scale_up_wait,
        give_up_after_start_failures: give_up_after,
        jitter_seed: fastrand::u64(..),
    }
}

/// Where workers have temporary folders. Without it they share the system's, which the log says.
fn temporary_folders() -> Option<Arc<TemporaryFolders>> {
    TemporaryFolders::open()
        .inspect_err(|error| {
            let folder = std::env::temp_dir();
            tracing::warn!(folder = %folder.display(), %error, "workers have no temporary folders of their own, because none can be made: set TMPDIR to a folder that can be written");
        })
        .ok()
}

/// The folder with the code, from the root.
pub fn absolute_workflows_dir(settings: &Settings) -> PathBuf {
    std::path::absolute(&settings.workflows_dir).unwrap_or_else(|_| settings.workflows_dir.clone())
}

/// What workers are started with.
///
/// # Errors
/// When there is no command, or it cannot be confined as the settings ask for.
pub fn worker_spec(settings: &Settings) -> Result<WorkerSpec, WorkerSpecError> {
    let launch = Launch::new(&settings.worker_command, variables(&settings.worker_env))?
        .with_variable(PROTOCOL_ENV, PROTOCOL_VERSION.to_string());
    let launch = confined(launch, settings)?;
    let workflows_dir = absolute_workflows_dir(settings);
    let serves_once = settings.isolation == Isolation::Execution;
    let welcome = serde_json::json!({
        "workflows_dir": workflows_dir,
        "memory_limit_mb": settings.max_worker_memory_mb,
        "worker_load_seconds": settings.worker_load.as_secs_f64(),
        "api_address": settings.http_bind,
        "serves_once": serves_once,
        "confinement": settings.confinement.as_str(),
    });
    Ok(WorkerSpec {
        serves_once,
        launch: Arc::new(launch),
        welcome_config: JsonBytes::of(&welcome),
        log_level: LogLevel::Debug,
        transcribe: settings.transcripts,
    })
}

/// Variables that speak of what only the supervisor has: a descriptor, or the ear of whoever started it.
const OF_ONE_PROCESS: [&str; 14] = [
    "CREDENTIALS_DIRECTORY",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Those of Muster are the supervisor's, too: some hold its secrets.
fn is_ours_alone(name: &str) -> bool {
    name.starts_with("MUSTER_") || OF_ONE_PROCESS.contains(&name)
}

/// What workers get of the environment. What is set by name stands above what is let through.
fn variables(asked: &[WorkerVariable]) -> Vec<(String, Option<OsString>)> {
    let mut variables = Vec::new();
    if asked.iter().any(|variable| matches!(variable, WorkerVariable::PassAll)) {
        let all =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, Some(value))));
        variables.extend(all.filter(|(name, _)| !is_ours_alone(name)));
    }
    variables.extend(asked.iter().filter_map(|variable| match variable {
        WorkerVariable::PassAll => None,
        WorkerVariable::Pass { name } => Some((name.clone(), None)),
        WorkerVariable::Set { name, value } => Some((name.clone(), Some(value.expose_secret().into()))),
    }));
    variables
}

/// Makes the identity of a supervisor that starts now.
pub fn claimant(settings: &Settings) -> Claimant {
    Claimant::new(settings.lease, ServedQueues::of(settings.served_queues()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_the_supervisor_alone_is_not_let_through() {
        for ours in ["MUSTER_HTTP_TOKEN", "NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "NODE_CHANNEL_FD"] {
            assert!(is_ours_alone(ours), "{ours}");
        }
        for theirs in ["PATH", "NODE_OPTIONS", "LISTEN_ADDRESS"] {
            assert!(!is_ours_alone(theirs), "{theirs}");
        }
    }
}
