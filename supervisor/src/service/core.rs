//! What the service and a batch have in common: a crew, the desk in front of it, the finalizer behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use muster_protocol::{JsonBytes, Level, PROTOCOL_ENV, PROTOCOL_VERSION};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::desk::{AfterFailure, Desk, Prepare};
use super::health::Health;
use super::ledger::Ledger;
use super::observer::Reporter;
use super::slots::Slots;
use crate::bus::Bus;
use crate::crew::{Crew, CrewError, CrewOptions, Gear, Transcribe};
use crate::finalize::{Doors, Files, Finalizer, OutboxError, RefusedEnd, Sink};
use crate::observe::Metrics;
use crate::pool::PoolConfig;
use crate::process::{Launch, LaunchError, Leftovers};
use crate::settings::{Settings, WorkerVariable};
use crate::store::{Claimant, Store};
use crate::transcripts::{Folder, FolderError, Keeper};
use crate::vital;

/// How often the rate of ends is looked at, for claiming ahead.
const RATE_EVERY: Duration = Duration::from_millis(100);

/// How long claimed attempts may take to be handed to the crew when a drain begins.
const PREPARED_WITHIN: Duration = Duration::from_secs(5);

/// The running middle of a supervisor.
#[derive(Debug)]
pub struct Core {
    /// Who claims.
    pub claimant: Claimant,
    /// The record.
    pub store: Arc<dyn Store>,
    /// Live views.
    pub bus: Bus,
    /// What may be claimed.
    pub slots: Arc<Slots>,
    /// What is held.
    pub ledger: Arc<Ledger>,
    /// Takes in what was claimed.
    pub desk: Arc<Desk>,
    /// The workers.
    pub crew: Crew,
    /// Whether workers start.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<Keeper>>,
    finalizer: Finalizer,
}

/// What a core is made of.
#[derive(Debug)]
pub struct Parts {
    /// Who claims.
    pub claimant: Claimant,
    /// The record.
    pub store: Arc<dyn Store>,
    /// Live views.
    pub bus: Bus,
    /// What is held.
    pub ledger: Arc<Ledger>,
    /// What may be claimed.
    pub slots: Arc<Slots>,
    /// Hears of commits.
    pub sink: Arc<dyn Sink>,
    /// Makes orders of requests.
    pub preparer: Arc<dyn Prepare>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where ends wait on disk while the store is out of reach; a batch has none.
    pub outbox: Option<Files>,
    /// Where process groups are recorded.
    pub leftovers: Option<Leftovers>,
    /// A batch gives up after so many failed starts; a service never does.
    pub give_up_after: Option<u32>,
    /// Whether a failure ends a batch.
    pub after_failure: AfterFailure,
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<Keeper>>,
}

impl Core {
    /// Starts the crew with the desk before it and the finalizer behind it.
    ///
    /// # Errors
    /// When the system refuses a thread or descriptors.
    pub fn start(settings: &Settings, parts: Parts) -> Result<Self, CoreError> {
        let Parts {
            claimant,
            store,
            bus,
            ledger,
            slots,
            sink,
            preparer,
            metrics,
            outbox,
            leftovers,
            give_up_after,
            after_failure,
            transcripts,
        } = parts;
        let finalizer =
            Finalizer::start(Arc::clone(&store), sink, Arc::clone(&slots) as Arc<dyn Doors>, outbox)?;
        let health = Arc::new(Health::default());
        let ended = Arc::new(AtomicUsize::new(0));
        let reporter = Arc::new(Reporter {
            owner: claimant.owner,
            ledger: Arc::clone(&ledger),
            slots: Arc::clone(&slots),
            finalizer: finalizer.clone(),
            bus: bus.clone(),
            store: Arc::clone(&store),
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            ended: Arc::clone(&ended),
            transcripts: transcripts.clone(),
        });
        let pool = pool_config(settings, give_up_after);
        let mut gear = gear(settings)?;
        if transcripts.is_none() {
            gear.transcribe = Transcribe::None;
        }
        let options = CrewOptions { pool, gear, leftovers };
        let crew = Crew::start(options, reporter)?;
        let desk = Desk::new(
            claimant.owner,
            Arc::clone(&ledger),
            crew.handle(),
            finalizer.clone(),
            preparer,
            after_failure,
            Arc::clone(&slots),
        );
        tokio::spawn(vital::serving("rate", watch_rate(Arc::downgrade(&slots), ended)));
        Ok(Self { claimant, store, bus, slots, ledger, desk, crew, health, metrics, transcripts, finalizer })
    }

    /// Returns when what an earlier process could not write is written. Claim nothing before.
    pub async fn replayed(&self) {
        self.finalizer.replayed().await;
    }

    /// How many ends would be lost with this process.
    pub fn in_memory_only(&self) -> usize {
        self.finalizer.backlog()
    }

    /// The ends that the database refuses although it takes others.
    pub fn refused(&self) -> Vec<RefusedEnd> {
        self.finalizer.refused()
    }

    /// Returns when what was claimed has reached the crew. Claim nothing meanwhile, and drain after: a crew that has
    /// drained hears of nothing more.
    pub async fn prepared(&self) {
        let deadline = tokio::time::Instant::now() + PREPARED_WITHIN;
        while self.ledger.is_preparing() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns when the crew has ended and every end it reported is committed, or kept in the outbox. Call after a drain.
    pub async fn settled(&self) {
        self.crew.ended().await;
        self.finalizer.flushed().await;
        if let Some(transcripts) = &self.transcripts {
            transcripts.flushed().await;
        }
    }
}

/// The middle of a supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The command.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The thread.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The folder of transcripts.
    #[error(transparent)]
    Transcripts(#[from] FolderError),
    /// The thread that writes them.
    #[error("the thread that writes transcripts cannot start: {0}; raise the limit on threads")]
    Thread(#[from] std::io::Error),
}

/// Tells the slots how many executions end, for claiming ahead.
async fn watch_rate(slots: std::sync::Weak<Slots>, ended: Arc<AtomicUsize>) {
    let mut every = tokio::time::interval(RATE_EVERY);
    let mut before = 0;
    loop {
        every.tick().await;
        let Some(slots) = slots.upgrade() else { return };
        let now = ended.load(Ordering::Relaxed);
        slots.set_rate(now - before, RATE_EVERY);
        before = now;
    }
}

/// Where transcripts are kept: in the data directory. Whether there are any may change while a supervisor runs.
///
/// # Errors
/// When the folder cannot be made, or the system refuses a thread.
pub fn transcripts(settings: &Settings, data_dir: &std::path::Path) -> Result<Arc<Keeper>, CoreError> {
    let max_bytes = settings.transcripts_max_mb.unwrap_or(u64::MAX >> 20).saturating_mul(1024 * 1024);
    let folder = Folder::open(data_dir.join("transcripts"), max_bytes)?;
    Ok(Keeper::start(folder)?)
}

/// What the pool decides by.
pub fn pool_config(settings: &Settings, give_up_after: Option<u32>) -> PoolConfig {
    let megabyte = 1024 * 1024;
    PoolConfig {
        min_workers: settings.min_workers,
        max_workers: settings.max_workers,
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

/// What workers are started with.
///
/// # Errors
/// When there is no command.
pub fn gear(settings: &Settings) -> Result<Gear, LaunchError> {
    let variables = settings.worker_env.iter().map(|variable| match variable {
        WorkerVariable::Pass { name } => (name.clone(), None),
        WorkerVariable::Set { name, value } => (name.clone(), Some(value.expose_secret().into())),
    });
    let launch = Launch::new(&settings.worker_command, variables.collect())?
        .with_variable(PROTOCOL_ENV, PROTOCOL_VERSION.to_string());
    let workflows_dir =
        std::path::absolute(&settings.workflows_dir).unwrap_or_else(|_| settings.workflows_dir.clone());
    let welcome = serde_json::json!({
        "workflows_dir": workflows_dir,
        "memory_limit_mb": settings.max_worker_memory_mb,
        "api_address": settings.http_bind,
    });
    Ok(Gear {
        launch: Arc::new(launch),
        welcome_config: JsonBytes::of(&welcome),
        log_level: Level::Debug,
        transcribe: settings.transcripts,
    })
}

/// A new boot.
pub fn claimant(settings: &Settings) -> Claimant {
    Claimant { owner: Uuid::now_v7(), lease: settings.lease }
}
