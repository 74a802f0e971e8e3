//! A supervisor's life: started in order, run, drained, left.
//!
//! On the way in: the data directory is locked, orphaned workers are killed, the store is opened, and only then is
//! anything claimed. On the way out: intake stops, runs go on for their grace, outcomes are committed and
//! announced, and only then does the process leave.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use muster_intake::rabbitmq::{AmqpError, BrokerHealth, IntakeOptions, RabbitIntake};
use muster_store::ExpiredOwners;
use muster_system::process::{OrphanedWorkers, OrphanedWorkersError};
use muster_system::vital;
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::backends::{BackendError, OpenStore, open_bus};
use super::core::{Core, CoreError, CoreParts, claimant, transcripts};
use super::data_dir::{DataDir, DataDirError};
use super::database_status::DatabaseStatus;
use super::heartbeat;
use super::starting::Starting;
use crate::dispatch::DispatchClaims;
use crate::dispatch::InFlight;
use crate::dispatch::Preparer;
use crate::dispatch::StorePoll;
use crate::dispatch::leases;
use crate::dispatch::{AfterFailure, Prepare};
use crate::dispatch::{IntakeClosed, Slots};
use crate::dispatch::{PeerWatch, watch_for_ever};
use crate::finalize::{FinalizedSink, OutboxError, SpillFiles};
use crate::liveness::{Liveness, VitalLoop};
use crate::notify::Notifier;
use crate::notify::control_commands;
use crate::notify::sweep::sweep_for_ever;
use crate::observe::SupervisorMetrics;
use crate::settings::Settings;

/// How long the last announcements may take.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(5);
/// When what holds up the end is told first, and how often.
const HELD_TOLD_AFTER: Duration = Duration::from_secs(2);
const HELD_TOLD_EVERY: Duration = Duration::from_secs(30);
/// The most the outbox may hold.
const OUTBOX_MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// A running supervisor.
#[derive(Debug)]
pub struct Supervisor {
    /// What it was started with, or told since.
    pub settings: RwLock<Settings>,
    /// When.
    pub started_at: Timestamp,
    /// Its running middle.
    pub core: Core,
    /// How the broker is, where there is one.
    pub broker: OnceLock<watch::Receiver<BrokerHealth>>,
    preparer: Arc<Preparer>,
    /// What the database said last.
    pub(super) known: DatabaseStatus,
    /// Whether its loops turn.
    pub liveness: Arc<Liveness>,
    /// How settings are read again.
    reload: ReloadSettings,
    stop_intake: CancellationToken,
    data_dir: DataDir,
}

/// Reads the settings again, from where they were read first.
pub struct ReloadSettings(Box<dyn Fn() -> Result<Settings, String> + Send + Sync>);

impl ReloadSettings {
    /// Reads them with this.
    pub fn with(read: impl Fn() -> Result<Settings, String> + Send + Sync + 'static) -> Self {
        Self(Box::new(read))
    }
}

impl std::fmt::Debug for ReloadSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reload")
    }
}

/// What ends with the supervisor.
#[derive(Debug)]
pub struct Tasks {
    /// Stop when told; awaited before the drain.
    intake: JoinSet<()>,
    broker: Option<RabbitIntake>,
    /// Go on until the last end is committed.
    background: JoinSet<()>,
    notifier: Arc<Notifier>,
}

/// A supervisor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The record of worker processes.
    #[error(transparent)]
    OrphanedWorkers(#[from] OrphanedWorkersError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// A backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The broker's address.
    #[error(transparent)]
    Amqp(#[from] AmqpError),
    /// The executor.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl Supervisor {
    /// Starts everything. Work is claimed from here on.
    ///
    /// # Errors
    /// When a setting cannot be used; a database that does not answer is waited for.
    pub async fn start(
        settings: Settings,
        reload: ReloadSettings,
        starting: &Starting,
    ) -> Result<(Arc<Self>, Tasks), StartError> {
        let data_dir = DataDir::lock(&settings.data_dir)?;
        let (orphaned_workers, killed) = OrphanedWorkers::kill_and_open(data_dir.path())?;
        if killed > 0 {
            tracing::warn!(killed, "killed orphaned workers that an earlier supervisor left behind");
        }
        let OpenStore { store, file } = starting.open_store(&settings).await?;
        let shared = file.is_none();
        let outbox = SpillFiles::open(data_dir.path(), OUTBOX_MAX_BYTES)?;
        let claimant = claimant(&settings);
        starting.when_store_answers(async || Ok(store.hold_presence(&claimant).await?)).await?;
        let bus = open_bus(&settings)?;
        let in_flight = Arc::new(InFlight::default());
        let slots = Slots::new(settings.max_workers);
        let metrics = Arc::new(SupervisorMetrics::new());
        let notifier = Notifier::start(
            store.clone(),
            bus.clone(),
            Arc::clone(&in_flight),
            Arc::clone(&slots),
            Arc::clone(&metrics),
        );
        let preparer = Preparer::new(store.clone(), bus.clone(), settings.execution_timeout);
        let parts = CoreParts {
            claimant,
            preparer: Arc::clone(&preparer) as Arc<dyn Prepare>,
            store,
            bus,
            in_flight,
            slots,
            sink: Arc::clone(&notifier) as Arc<dyn FinalizedSink>,
            metrics,
            outbox: Some(outbox),
            orphaned_workers: Some(orphaned_workers),
            give_up_after: None,
            after_failure: AfterFailure::GoOn,
            transcripts: Some(transcripts(&settings, data_dir.path())?),
        };
        let supervisor = Arc::new(Self {
            core: Core::start(&settings, parts)?,
            liveness: Arc::new(Liveness::new(settings.lease)),
            settings: RwLock::new(settings),
            started_at: Timestamp::now(),
            broker: OnceLock::new(),
            known: DatabaseStatus::default(),
            preparer,
            reload,
            stop_intake: CancellationToken::new(),
            data_dir,
        });
        // Their rows are in the name of a process that is gone: written after a poll they might be run again.
        starting.wait_for("outbox", "outcomes of an earlier process are being written");
        supervisor.core.replayed().await;
        let broker = supervisor.start_broker()?;
        let tasks = supervisor.start_tasks(shared, notifier, broker);
        tracing::info!(supervisor = %supervisor.core.claimant.owner, "supervisor started");
        Ok((supervisor, tasks))
    }

    /// Starts to consume from RabbitMQ, if there is one.
    fn start_broker(&self) -> Result<Option<RabbitIntake>, AmqpError> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let Some(url) = &settings.amqp_url else { return Ok(None) };
        let options = IntakeOptions {
            url: url.expose_secret().to_owned(),
            queue: settings.queue.clone(),
            default_max_attempts: settings.max_attempts,
        };
        let Core { claimant, store, slots, dispatcher, bus, .. } = &self.core;
        let claims = DispatchClaims {
            claimant: *claimant,
            store: store.clone(),
            slots: Arc::clone(slots),
            dispatcher: Arc::clone(dispatcher),
        };
        let intake = RabbitIntake::start(&options, Arc::new(claims), Arc::clone(store), bus.clone())?;
        let _ = self.broker.set(intake.health());
        Ok(Some(intake))
    }

    fn start_tasks(
        self: &Arc<Self>,
        shared: bool,
        notifier: Arc<Notifier>,
        broker: Option<RabbitIntake>,
    ) -> Tasks {
        let Core { claimant, store, slots, dispatcher, .. } = &self.core;
        let (claimant, store, dispatcher) = (*claimant, Arc::clone(store), Arc::clone(dispatcher));
        let mut background = JoinSet::new();
        let liveness = Arc::clone(&self.liveness);
        // All of them begin now: one that never turns shows too.
        for begins in [VitalLoop::Executor, VitalLoop::Poll, VitalLoop::Leases] {
            liveness.beat(begins);
        }
        let renewing = leases::renew_for_ever(
            Arc::clone(&dispatcher),
            Arc::clone(&store),
            claimant,
            Arc::clone(&liveness),
        );
        background.spawn(vital::turning("leases", renewing));
        let starts = leases::record_starts_for_ever(Arc::clone(&dispatcher), store.clone(), claimant);
        background.spawn(vital::turning("starts", starts));
        background.spawn(vital::turning("sweep", sweep_for_ever(store.clone(), self.core.bus.clone())));
        background.spawn(vital::turning("heartbeat", heartbeat::beat_for_ever(Arc::downgrade(self))));
        background.spawn(vital::serving("executor-watch", heartbeat::watch_executor(Arc::downgrade(self))));
        let commands = control_commands::handle_commands(Arc::downgrade(self), self.core.bus.clone());
        background.spawn(vital::turning("orders", commands));
        let peers = if shared {
            let (found, lost) = watch::channel(ExpiredOwners::default());
            background.spawn(vital::serving("peers", watch_for_ever(store.clone(), claimant, found)));
            PeerWatch::Some(lost)
        } else {
            PeerWatch::None
        };
        let mut intake = JoinSet::new();
        let (slots, stop) = (Arc::clone(slots), self.stop_intake.clone());
        let bus = self.core.bus.clone();
        let told = stop.clone();
        let poll = StorePoll { dispatcher, store, bus, slots, claimant, peers, stop, liveness };
        intake.spawn(vital::turning_until("poll", told, poll.run()));
        Tasks { intake, broker, background, notifier }
    }

    /// Reads the settings again and rolls the workers. What cannot change in a running supervisor is named.
    ///
    /// # Errors
    /// The problems of the settings; nothing changed then.
    pub fn reload(&self) -> Result<(), String> {
        let mut new = (self.reload.0)()?;
        let fixed = {
            let old = self.settings.read().unwrap_or_else(PoisonError::into_inner);
            let fixed = new.fixed_since(&old);
            // Workers are told where the API listens, and that is where it did.
            new.http_bind = old.http_bind;
            fixed
        };
        let spec = super::core::worker_spec(&new).map_err(|error| error.to_string())?;
        let pool = super::core::pool_config(&new, None);
        self.core.slots.set_workers(new.max_workers);
        self.preparer.set_default_timeout(new.execution_timeout);
        self.core.executor.handle().reload(spec, pool);
        if !fixed.is_empty() {
            tracing::warn!(settings = fixed.join(", "), "changed settings that count from the next start on");
        }
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The data directory.
    pub fn data_dir(&self) -> &std::path::Path {
        self.data_dir.path()
    }

    /// Nothing more is claimed from here on.
    pub fn stop_intake(&self) {
        self.core.slots.close(IntakeClosed::Draining);
        self.stop_intake.cancel();
    }
}

impl Tasks {
    /// Leaves: intake stops, runs go on for up to `grace`, outcomes are committed and announced. `force` makes
    /// what still runs be cancelled, `abandon` leaves at once.
    ///
    /// # Errors
    /// When it was abandoned: so many outcomes were neither in the database nor on disk.
    pub async fn drain(
        mut self,
        supervisor: Arc<Supervisor>,
        grace: Duration,
        force: CancellationToken,
        abandon: CancellationToken,
    ) -> Result<(), usize> {
        let abandoned = tokio::select! {
            () = self.wind_down(&supervisor, grace, force) => Ok(()),
            () = abandon.cancelled() => Err(supervisor.core.in_memory_only()),
        };
        vital::stand_down();
        self.background.shutdown().await;
        abandoned?;
        let _ = tokio::time::timeout(ANNOUNCED_WITHIN, self.notifier.finished()).await;
        tracing::info!("supervisor left");
        Ok(())
    }

    async fn wind_down(&mut self, supervisor: &Supervisor, grace: Duration, force: CancellationToken) {
        supervisor.stop_intake();
        while self.intake.join_next().await.is_some() {}
        if let Some(broker) = self.broker.take() {
            broker.stop().await;
        }
        supervisor.core.prepared().await;
        let executor = supervisor.core.executor.handle();
        tracing::info!(
            held = supervisor.core.in_flight.len(),
            grace_seconds = grace.as_secs_f64(),
            "draining"
        );
        executor.drain(grace);
        let hurrying = AbortOnDropHandle::new(tokio::spawn(async move {
            force.cancelled().await;
            tracing::warn!("forced shutdown: cancelling running executions, returning them to the queue");
            executor.force();
        }));
        tokio::select! {
            () = supervisor.core.drained() => {}
            () = tell_what_is_held(supervisor) => {}
        }
        drop(hurrying);
    }
}

/// A process that holds the only copy of outcomes does not end by itself: says so, and how to leave. Does not end.
async fn tell_what_is_held(supervisor: &Supervisor) {
    supervisor.core.executor.ended().await;
    tokio::time::sleep(HELD_TOLD_AFTER).await;
    loop {
        let count = supervisor.core.in_memory_only();
        if count > 0 {
            tracing::error!(
                count,
                data_dir = %supervisor.data_dir().display(),
                "outcomes are in memory only, since neither the database nor data_dir takes them, so this process \
                 stays: bring the database back, or free space in data_dir; a third signal (SIGTERM or SIGINT) \
                 leaves without them, and their executions are run again"
            );
        }
        tokio::time::sleep(HELD_TOLD_EVERY).await;
    }
}
