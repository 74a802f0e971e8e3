//! What turns in a supervisor, and its end: intake stops, runs go on for their grace, outcomes are committed and
//! announced, and only then does the process leave.

use std::sync::Arc;
use std::time::Duration;

use muster_intake::rabbitmq::RabbitIntake;
use muster_store::ExpiredOwners;
use muster_system::vital;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::announce::announce;
use super::core::Core;
use super::definition_changes::follow_definitions;
use super::retention;
use super::schedules;
use super::supervisor::Supervisor;
use super::webhooks;
use super::{displaced, figures, fleet, heartbeat};
use crate::access::note_uses_for_ever;
use crate::dispatch::{
    PeerWatch, StorePoll, expire_for_ever, follow_clock_for_ever, follow_pauses_for_ever,
    forget_keys_for_ever, leases, let_go_resumed_for_ever, open_rates_for_ever, tell_worker_time_for_ever,
    tend_limits_for_ever, watch_for_ever,
};
use crate::liveness::VitalLoop;
use crate::notify::sweep::sweep_for_ever;
use crate::notify::{Notifier, control_commands};
use crate::traces::Tracer;

/// How long the last announcements may take.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(5);
/// When what holds up the end is told first, and how often.
const HELD_TOLD_AFTER: Duration = Duration::from_secs(2);
const HELD_TOLD_EVERY: Duration = Duration::from_secs(30);
/// The tasks that end when the supervisor does.
#[derive(Debug)]
pub struct Tasks {
    /// Stop when told; awaited before the drain.
    intake: JoinSet<()>,
    broker: Vec<RabbitIntake>,
    /// Go on until the last end is committed.
    background: JoinSet<()>,
    notifier: Arc<Notifier>,
    tracer: Option<Arc<Tracer>>,
}

impl Tasks {
    /// Starts everything that turns. With others on the store, who is lost is watched.
    pub(super) fn start(
        supervisor: &Arc<Supervisor>,
        shared: bool,
        (notifier, tracer): (Arc<Notifier>, Option<Arc<Tracer>>),
        broker: Vec<RabbitIntake>,
    ) -> Self {
        let Core { claimant, slots, dispatcher, .. } = &supervisor.core;
        let (claimant, store, dispatcher) =
            (claimant.clone(), Arc::clone(&supervisor.store), Arc::clone(dispatcher));
        let mut background = JoinSet::new();
        let liveness = Arc::clone(&supervisor.liveness);
        // All of them begin now: one that never turns shows too.
        for begins in [VitalLoop::Executor, VitalLoop::Poll, VitalLoop::Leases] {
            liveness.beat(begins);
        }
        let renewing = leases::renew_for_ever(
            Arc::clone(&dispatcher),
            Arc::clone(&store),
            claimant.clone(),
            Arc::clone(&liveness),
        );
        background.spawn(vital::turning("leases", renewing));
        let starts = leases::record_starts_for_ever(Arc::clone(&dispatcher), store.clone(), claimant.owner);
        background.spawn(vital::turning("starts", starts));
        background.spawn(vital::turning("sweep", sweep_for_ever(store.clone(), supervisor.core.bus.clone())));
        let expiring = expire_for_ever(store.clone(), supervisor.core.bus.clone(), claimant.clone());
        background.spawn(vital::turning("expiry", expiring));
        background.spawn(vital::turning("idempotency", forget_keys_for_ever(store.clone())));
        background.spawn(vital::turning("clock", follow_clock_for_ever(store.clone())));
        let tending = tend_limits_for_ever(store.clone(), Arc::clone(&supervisor.core.descriptions));
        background.spawn(vital::turning("limits", tending));
        background.spawn(vital::turning("rates", open_rates_for_ever(store.clone())));
        background.spawn(vital::turning("pauses", follow_pauses_for_ever(store.clone())));
        background.spawn(vital::turning("resumes", let_go_resumed_for_ever(store.clone())));
        let metrics = Arc::clone(&supervisor.core.metrics);
        let telling = tell_worker_time_for_ever(store.clone(), claimant.shares.clone(), metrics);
        background.spawn(vital::turning("shares", telling));
        background.spawn(vital::turning("heartbeat", heartbeat::beat_for_ever(Arc::downgrade(supervisor))));
        background
            .spawn(vital::serving("executor-watch", heartbeat::watch_executor(Arc::downgrade(supervisor))));
        let (announcing, saying) =
            (announce(Arc::clone(&store), supervisor.who()), fleet::say_for_ever(Arc::downgrade(supervisor)));
        background.spawn(async move {
            announcing.await;
            vital::turning("fleet", saying).await;
        });
        let noting = figures::note_for_ever(Arc::downgrade(supervisor));
        background.spawn(vital::turning("figures", noting));
        let ticking = schedules::run_for_ever(Arc::downgrade(supervisor));
        background.spawn(vital::serving("schedules", ticking));
        background.spawn(vital::serving("retention", retention::prune_for_ever(Arc::downgrade(supervisor))));
        let delivering = webhooks::deliver_for_ever(
            Arc::downgrade(supervisor),
            supervisor.started_with.webhook_allow_private,
        );
        background.spawn(vital::serving("webhooks", delivering));
        let tokens = Arc::clone(&supervisor.tokens);
        let following = follow_definitions(
            store.clone(),
            supervisor.preparer.prewarm(),
            Arc::clone(&tokens),
            supervisor.secret_key_gate(),
        );
        background.spawn(vital::turning("definitions", following));
        background.spawn(vital::turning("tokens", note_uses_for_ever(store.clone(), tokens)));
        let telling = displaced::tell_for_ever(Arc::downgrade(supervisor));
        background.spawn(vital::turning("displaced", telling));
        let commands =
            control_commands::handle_commands(Arc::downgrade(supervisor), supervisor.core.bus.clone());
        background.spawn(vital::turning("orders", commands));
        let peers = if shared {
            let (found, lost) = watch::channel(ExpiredOwners::default());
            background.spawn(vital::serving("peers", watch_for_ever(store.clone(), claimant.clone(), found)));
            PeerWatch::Some(lost)
        } else {
            PeerWatch::None
        };
        let mut intake = JoinSet::new();
        let (slots, stop) = (Arc::clone(slots), supervisor.stop_intake.clone());
        let bus = supervisor.core.bus.clone();
        let told = stop.clone();
        let poll = StorePoll { dispatcher, store, bus, slots, claimant, peers, stop, liveness };
        intake.spawn(vital::turning_until("poll", told, poll.run()));
        Self { intake, broker, background, notifier, tracer }
    }

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
        if let Some(tracer) = &self.tracer {
            let _ = tokio::time::timeout(ANNOUNCED_WITHIN, tracer.finished()).await;
        }
        supervisor.write_last_figures().await;
        supervisor.say_farewell().await;
        tracing::info!("supervisor left");
        Ok(())
    }

    async fn wind_down(&mut self, supervisor: &Supervisor, grace: Duration, force: CancellationToken) {
        supervisor.stop_intake();
        while self.intake.join_next().await.is_some() {}
        for queue in std::mem::take(&mut self.broker) {
            queue.stop().await;
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
