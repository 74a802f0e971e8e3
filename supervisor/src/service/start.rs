//! A supervisor's start, in order: the data directory is locked, orphaned workers are killed, the store is opened, and
//! only then is anything claimed.

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use muster_bus::OutcomeListener;
use muster_intake::rabbitmq::{AmqpError, IntakeOptions, QueueReader, RabbitIntake};
use muster_store::{Claimant, Store};
use muster_system::process::{
    Guard, Guarded, OrphanedWorkers, OrphanedWorkersError, OrphansFound, WorkerLeaves,
};
use tokio_util::sync::CancellationToken;

use super::backends::{BackendError, OpenStore, open_bus};
use super::broker_status::BrokerStatus;
use super::core::{Core, CoreError, CoreParts, absolute_workflows_dir, claimant, transcripts};
use super::data_dir::{DataDir, DataDirError};
use super::database_status::DatabaseStatus;
use super::figures::FigureNotes;
use super::starting::Starting;
use super::submits::SubmitGroups;
use super::supervisor::{ReloadSettings, Supervisor};
use super::tasks::Tasks;
use crate::access::KnownTokens;
use crate::descriptions::Descriptions;
use crate::dispatch::{AfterFailure, DispatchClaims, InFlight, Prepare, Preparer, SecretKeyGate, Slots};
use crate::finalize::{FinalizedSink, OutboxError, SpillFiles};
use crate::liveness::Liveness;
use crate::notify::Notifier;
use crate::observe::SupervisorMetrics;
use crate::secret_keys::OpenedDefinitions;
use crate::settings::Settings;
use crate::traces::{Collector, Tracer};

/// The most the outbox may hold.
const OUTBOX_MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Why a supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The record of started workers cannot be kept.
    #[error(transparent)]
    OrphanedWorkers(#[from] OrphanedWorkersError),
    /// The outbox cannot be opened.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A store or the bus cannot be opened.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The setting `amqp_url` is not an address of RabbitMQ.
    #[error(transparent)]
    Amqp(#[from] AmqpError),
    /// The middle of the supervisor cannot be put together.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// Has somebody end what workers leave, should this process be killed.
fn guard(data_dir: &Path, workers: &OrphanedWorkers, leaves: Option<&WorkerLeaves>) -> Option<Guard> {
    let record = std::path::absolute(data_dir).ok().map(|path| (path, workers.id().to_owned()));
    let guarded = Guarded { leaves: leaves.map(|leaves| leaves.folder().to_owned()), record };
    Guard::start(&guarded).unwrap_or_else(|error| {
        tracing::warn!(%error, "should this supervisor be killed, what its workers leave is ended by the next start only, because no guard can be started");
        None
    })
}

/// Has traces of executions sent, if there is a collector for them.
fn tracer(
    settings: &Settings,
    store: &Arc<dyn Store>,
    claimant: &Claimant,
    metrics: &Arc<SupervisorMetrics>,
) -> Option<Arc<Tracer>> {
    let url = settings.otlp_url.as_ref()?;
    let collector = Collector::new(url, settings.otlp_headers.as_ref(), claimant.owner);
    Some(Tracer::start(store.clone(), collector, settings.otlp_sample_ratio, Arc::clone(metrics)))
}

impl Supervisor {
    /// Starts everything. Work is claimed from here on, and `tokens` are those of the database.
    ///
    /// # Errors
    /// When a setting cannot be used; a database that does not answer is waited for.
    pub async fn start(
        settings: Settings,
        reload: ReloadSettings,
        starting: &Starting,
        tokens: Arc<KnownTokens>,
    ) -> Result<(Arc<Self>, Tasks), StartError> {
        let data_dir = DataDir::lock(&settings.data_dir)?;
        let (orphaned_workers, found) = OrphanedWorkers::kill_and_open(data_dir.path())?;
        let killed = match found {
            OrphansFound::Ours { killed } => killed + WorkerLeaves::end_left(data_dir.path()),
            OrphansFound::Anothers => {
                tracing::warn!(
                    "this data_dir is a copy of one whose supervisor lives: its workers are left alone"
                );
                0
            }
        };
        let leaves = WorkerLeaves::open(data_dir.path());
        if let Err(reason) = &leaves {
            tracing::debug!(reason, "workers have no control groups of their own");
        }
        let guard = guard(data_dir.path(), &orphaned_workers, leaves.as_ref().ok());
        if killed > 0 {
            tracing::warn!(killed, "killed orphaned workers that an earlier supervisor left behind");
        }
        let OpenStore { store, file } = starting.open_store(&settings).await?;
        let shared = file.is_none();
        let outbox = SpillFiles::open(data_dir.path(), OUTBOX_MAX_BYTES)?;
        let claimant = claimant(&settings);
        starting.when_store_answers(async || Ok(store.hold_presence(&claimant).await?)).await?;
        let metrics = Arc::new(SupervisorMetrics::new());
        let tracer = tracer(&settings, &store, &claimant, &metrics);
        let bus = match &tracer {
            Some(tracer) => {
                open_bus(&settings)?.with_listener(Arc::clone(tracer) as Arc<dyn OutcomeListener>)
            }
            None => open_bus(&settings)?,
        };
        if settings.redis_url.is_none() {
            store.publish_with_commit();
        }
        let in_flight = Arc::new(InFlight::default());
        let slots = Slots::new(settings.max_workers);
        let notifier = Notifier::start(
            store.clone(),
            bus.clone(),
            Arc::clone(&in_flight),
            Arc::clone(&slots),
            Arc::clone(&metrics),
        );
        let descriptions = Arc::new(Descriptions::new(absolute_workflows_dir(&settings)));
        let secret_keys = Arc::new(settings.secret_keys());
        let definitions = Arc::new(OpenedDefinitions::new(store.clone(), Arc::clone(&secret_keys)));
        let preparer = Preparer::new(
            definitions,
            bus.clone(),
            settings.execution_timeout,
            Arc::clone(&descriptions),
            tracer.as_ref().map(|_| settings.otlp_sample_ratio),
        );
        let parts = CoreParts {
            claimant,
            preparer: Arc::clone(&preparer) as Arc<dyn Prepare>,
            outcomes: store.clone(),
            state: store.clone(),
            bus,
            in_flight,
            slots,
            sink: Arc::clone(&notifier) as Arc<dyn FinalizedSink>,
            metrics,
            outbox: Some(outbox),
            orphaned_workers: Some(orphaned_workers),
            leaves: leaves.ok().map(Arc::new),
            give_up_after: None,
            after_failure: AfterFailure::GoOn,
            transcripts: Some(transcripts(&settings, data_dir.path())?),
            descriptions,
            shares_store: shared,
        };
        let submits = SubmitGroups::new(Arc::<dyn Store>::clone(&store), shared);
        let core = Core::start(&settings, parts)?;
        let claims = Arc::new(DispatchClaims {
            claimant: core.claimant.clone(),
            store: store.clone(),
            slots: Arc::clone(&core.slots),
            dispatcher: Arc::clone(&core.dispatcher),
        });
        let supervisor = Arc::new(Self {
            core,
            store,
            submits,
            claims,
            liveness: Arc::new(Liveness::new(settings.lease)),
            started_with: settings.clone(),
            settings: RwLock::new(settings),
            started_at: Timestamp::now(),
            broker: OnceLock::new(),
            backlog: OnceLock::new(),
            known: DatabaseStatus::default(),
            figures: tokio::sync::Mutex::new(FigureNotes::new(Timestamp::now())),
            preparer,
            secret_keys,
            tokens,
            reload,
            stop_intake: CancellationToken::new(),
            data_dir,
            _guard: guard,
        });
        // Their rows are in the name of a process that is gone: written after a poll they might be run again.
        starting.wait_for("outbox", "outcomes of an earlier process are being written");
        supervisor.core.replayed().await;
        // Before anything is claimed. What cannot be read yet is read as soon as it can be.
        if let Err(error) = supervisor.secret_key_gate().look(&*supervisor.store).await {
            tracing::debug!(%error, "it is not known yet whether every secret can be read");
        }
        let broker = supervisor.start_broker()?;
        let tasks = Tasks::start(&supervisor, shared, (notifier, tracer), broker);
        tracing::info!(supervisor = %supervisor.core.claimant.owner, "supervisor started");
        Ok((supervisor, tasks))
    }

    /// What keeps executions out for want of a key.
    pub(super) fn secret_key_gate(&self) -> SecretKeyGate {
        SecretKeyGate::new(Arc::clone(&self.secret_keys), Arc::clone(&self.core.slots))
    }

    /// Starts to consume the queues that are served from RabbitMQ, if there is one.
    fn start_broker(&self) -> Result<Vec<RabbitIntake>, AmqpError> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let Some(url) = &settings.amqp_url else { return Ok(Vec::new()) };
        let mut intakes = Vec::new();
        let mut readers = Vec::new();
        for queue in settings.served_queues() {
            let options = IntakeOptions {
                broker: settings.server(url),
                queue: queue.clone(),
                default_max_attempts: settings.max_attempts,
                idempotency: settings.idempotency,
            };
            readers.push((queue.clone(), QueueReader::new(&options.broker, queue)?));
            intakes.push(RabbitIntake::start(
                &options,
                Arc::clone(&self.claims),
                self.store.clone(),
                self.core.bus.clone(),
            )?);
        }
        let _ = self.backlog.set(BrokerStatus::of(readers));
        let _ = self.broker.set(intakes.iter().map(RabbitIntake::health).collect());
        Ok(intakes)
    }
}
