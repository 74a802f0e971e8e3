//! What the HTTP interface asks of a supervisor.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_bus::{AddressedCommand, ControlCommand};
use muster_core::execution::{ExecutionRequest, Status, Target};
use muster_core::fleet::SupervisorRecord;
use muster_core::pool::PoolSnapshot;
use muster_intake::rabbitmq::BrokerHealth;
use muster_store::{CancelResult, ExecutionRecord, NewExecution, PresenceShown, Submitted};
use muster_system::process::walls;
use uuid::Uuid;

use super::confinement::confinement;
use super::described::view_all;
use super::explain::{ExplainFacts, explain};
use super::readiness_parts::{
    bus_part, data_dir_part, files_part, intake_part, outcomes_part, presence_part, queue_part, store_part,
    workers_part,
};
use super::supervisor::Supervisor;
use super::taken_ids::was_there;
use crate::api::{
    ApiService, DeadLetterAction, DeadLettersMovedView, DeadLettersView, ExplanationView, FleetView,
    HistorySpan, HistoryView, ManyView, PlanView, PoolView, PruneWish, PrunedView, Readiness, RecycleTarget,
    ReportView, SelectionRequest, ServiceError, SubmitAnswer, WorkflowsView, pause_view, pause_views,
    queue_views,
};
use crate::definitions::{DefinitionWish, edit, rotate};
use crate::dispatch::RefusedParameters;
use crate::finalize::RetryPolicy;
use crate::notify::sweep::notify_rows;
use crate::observe::Unwritten;
use crate::prewarm::resolve;

/// More workers than this are surely a mistake.
const WORKERS_MAX: usize = 10_000;

/// So many submits are one transaction.
const SUBMITS_AT_ONCE: usize = 500;

fn no_answer() -> ServiceError {
    ServiceError::Unavailable("the store gave no answer".to_owned())
}

fn unavailable(error: &ServiceError) -> ServiceError {
    ServiceError::Unavailable(error.to_string())
}

/// How long we may be invisible to others while the database can be written.
const PRESENCE_WITHIN: Duration = Duration::from_secs(60);

#[async_trait]
impl ApiService for Supervisor {
    fn who(&self) -> SupervisorRecord {
        Self::who(self)
    }

    async fn submit(&self, request: ExecutionRequest) -> Result<SubmitAnswer, ServiceError> {
        let row = self.checked(&request).await?;
        self.insert(row).await
    }

    async fn submit_many(&self, requests: Vec<ExecutionRequest>) -> Vec<Result<SubmitAnswer, ServiceError>> {
        let mut answers = Vec::with_capacity(requests.len());
        for group in requests.chunks(SUBMITS_AT_ONCE) {
            answers.extend(self.submit_group(group).await);
        }
        answers
    }

    async fn explain(&self, id: Uuid, names_others: bool) -> Result<Option<ExplanationView>, ServiceError> {
        let Some(record) = self.store.execution(id).await? else { return Ok(None) };
        let mut of_record = ExplainFacts::of_record(&*self.store, &self.core.claimant, &record).await?;
        if let Some(limit) = of_record.limit.as_mut().filter(|_| !names_others) {
            limit.holders.clear();
        }
        let served_by = match of_record.queue_not_served() {
            Some(queue) => self.all_supervisors().await?.serving(queue, names_others),
            None => Vec::new(),
        };
        let reasons = explain(&ExplainFacts {
            served_by,
            closed: self.core.slots.closed(),
            start_trouble: self.core.health.start_trouble(),
            slots_are_free: self.core.slots.free() > 0,
            max_workers: self.core.slots.workers(),
            outlook: self.outlook(&record).await?,
            ..of_record
        });
        Ok(Some(ExplanationView { execution_id: id, status: record.status, reasons }))
    }

    fn workflows(&self) -> WorkflowsView {
        view_all(&self.core.descriptions)
    }

    async fn edit_definitions(
        &self,
        wish: DefinitionWish,
        who: &str,
        dry_run: bool,
    ) -> Result<PlanView, ServiceError> {
        Ok(edit(&*self.store, &self.secret_keys, &wish, who, dry_run).await?)
    }

    async fn rotate_secrets(&self, who: &str) -> Result<PlanView, ServiceError> {
        Ok(rotate(&*self.store, &self.secret_keys, who).await?)
    }

    async fn prune(&self, wish: PruneWish) -> Result<PrunedView, ServiceError> {
        self.prune_now(&wish).await
    }

    async fn run_schedule(&self, name: &str) -> Result<SubmitAnswer, ServiceError> {
        let all = self.store.definitions().await?.schedules;
        let found = all.into_iter().find(|schedule| schedule.name == name);
        let found = found.ok_or_else(|| ServiceError::NotFound(format!("there is no schedule {name:?}")))?;
        self.run_schedule_now(&found).await
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError> {
        let answer = self.request_cancel(id).await?;
        self.tell_owner(id, answer, None).await;
        Ok(answer)
    }

    async fn cancel_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError> {
        self.cancel_selected(selection).await
    }

    async fn retry_many(&self, selection: &SelectionRequest) -> Result<ManyView, ServiceError> {
        self.retry_selected(selection).await
    }

    async fn retry(&self, id: Uuid, new: Uuid) -> Result<SubmitAnswer, ServiceError> {
        let record = self.store.execution(id).await?;
        let record = record.ok_or_else(|| ServiceError::NotFound(format!("there is no execution {id}")))?;
        if !record.status.is_terminal() {
            let message =
                format!("execution {id} is {}: wait for its end, or cancel it first", record.status);
            return Err(ServiceError::Conflict(message));
        }
        let row = self.again(&record, new)?;
        let answer = self.insert(row).await?;
        // Another execution may have this id: a row that was there before must be the one that was asked for.
        let record = self.store.execution(new).await?;
        if record.is_none_or(|record| record.retry_of == Some(id)) {
            return Ok(answer);
        }
        Err(ServiceError::Conflict(format!(
            "execution {new} is there, and does not repeat {id}: give another id"
        )))
    }

    async fn pool(&self) -> PoolView {
        let pool = self.pool_snapshot().await;
        let backlog = async {
            match self.backlog.get() {
                Some(backlog) => Some(backlog.view().await),
                None => None,
            }
        };
        let waiting = self.known.queues(self.store.clone());
        let pending = self.known.pending(self.store.clone());
        let (pending, waiting, broker) = tokio::join!(pending, waiting, backlog);
        let queues = queue_views(self.core.claimant.queues.names(), &waiting);
        let asked = confinement(&self.settings.read().unwrap_or_else(PoisonError::into_inner));
        let view = PoolView::of(&pool, self.core.claimant.owner, self.started_at, pending, walls(&asked));
        let pauses = pause_views(&self.store.known_pauses());
        let next_start = self.settings_of_the_next_start();
        let oldest_wait_seconds = view.oldest_wait_seconds.max(self.waited_since_published(&view));
        PoolView { broker, queues, pauses, next_start, oldest_wait_seconds, ..view }
    }

    async fn fleet(&self) -> Result<FleetView, ServiceError> {
        self.all_supervisors().await
    }

    async fn report(&self) -> Result<ReportView, ServiceError> {
        self.judged().await
    }

    async fn history(&self, span: HistorySpan) -> Result<HistoryView, ServiceError> {
        self.noted_history(span).await
    }

    async fn dead_letters(
        &self,
        queue: Option<String>,
        limit: usize,
    ) -> Result<DeadLettersView, ServiceError> {
        self.listed_dead_letters(queue, limit).await
    }

    async fn move_dead_letters(
        &self,
        queue: Option<String>,
        action: DeadLetterAction,
    ) -> Result<DeadLettersMovedView, ServiceError> {
        self.moved_dead_letters(queue, action).await
    }

    async fn resize(&self, min_workers: usize, max_workers: usize) -> Result<(), ServiceError> {
        if min_workers < 1 || min_workers > max_workers || max_workers > WORKERS_MAX {
            let message = format!(
                "min_workers {min_workers} and max_workers {max_workers} must be 1 <= min <= max <= {WORKERS_MAX}"
            );
            return Err(ServiceError::Invalid(message));
        }
        self.core.slots.set_workers(max_workers);
        self.core.executor.handle().resize(min_workers, max_workers);
        Ok(())
    }

    async fn recycle(&self, target: RecycleTarget) -> Result<(), ServiceError> {
        let executor = self.core.executor.handle();
        let RecycleTarget::Worker(worker) = target else {
            executor.recycle_all();
            return Ok(());
        };
        let snapshot = executor.snapshot().await;
        if !snapshot.is_some_and(|snapshot| snapshot.pool.workers.iter().any(|known| known.worker == worker))
        {
            return Err(ServiceError::NotFound(format!(
                "no worker {worker}: `supervisor status` lists them"
            )));
        }
        executor.recycle(worker);
        Ok(())
    }

    async fn reload(&self) -> Result<(), ServiceError> {
        Self::reload(self).map_err(ServiceError::Invalid)
    }

    async fn readiness(&self) -> Readiness {
        let store = store_part(&self.known.facts(self.store.clone()).await, self.known.writes.silent_for());
        let workers = workers_part(self.core.health.start_trouble());
        let intake = intake_part(&self.core.slots.closed());
        let queues = self.queues();
        let waiting = queues.iter().map(|queue| queue.waiting_for_records).sum();
        let bus = bus_part(self.core.bus.health().problem, waiting);
        let mut parts = vec![store, workers, intake, outcomes_part(&self.core.refused()), bus];
        parts.extend(files_part(&self.core.descriptions.broken()));
        parts.extend(presence_part(self.store.presence()));
        parts.extend(data_dir_part(&self.data_dir));
        parts.extend(queue_part(&queues, self.core.slots.free() > 0));
        Readiness::of(parts)
    }

    fn liveness(&self) -> Result<(), String> {
        self.liveness.check()?;
        match self.store.presence() {
            PresenceShown::Lost { since, why, beats: false }
                if since > PRESENCE_WITHIN && self.store.writes_work() =>
            {
                let seconds = since.as_secs();
                Err(format!(
                    "presence: other supervisors have not seen for {seconds} s that this one lives, though the \
                     database can be written ({why}): restart the supervisor"
                ))
            }
            PresenceShown::Lost { .. } | PresenceShown::NotNeeded | PresenceShown::Yes => Ok(()),
        }
    }

    async fn transcript(&self, id: Uuid, attempt: Option<u32>) -> Result<Option<String>, ServiceError> {
        let Some(keeper) = &self.core.transcripts else { return Ok(None) };
        // An execution that has just ended may be on its way to the disk.
        keeper.flushed().await;
        let folder = Arc::clone(keeper.folder());
        let read = tokio::task::spawn_blocking(move || folder.read(id, attempt)).await;
        let read = read.map_err(|error| ServiceError::Unavailable(error.to_string()))?;
        read.map_err(|error| ServiceError::Unavailable(error.to_string()))
    }

    async fn metrics(&self) -> String {
        let limits = self.known.limits(self.store.clone());
        let (pool, readiness, limits) = tokio::join!(self.pool(), self.readiness(), limits);
        self.core.metrics.note_limits(&limits);
        let unwritten = Unwritten {
            store_answer_age: self.known.age(),
            refused: self.core.refused().len(),
            in_memory: self.core.in_memory_only(),
            dead_letters: self.queues().iter().map(|queue| queue.dead_lettered).sum(),
        };
        self.core.metrics.encode(&pool, &readiness, &self.core.bus.health(), unwritten)
    }

    fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        self.core.metrics.answered(method, route, status, took);
    }
}

impl Supervisor {
    /// What the executor says of the pool. One that is gone has drained.
    pub(super) async fn pool_snapshot(&self) -> PoolSnapshot {
        let snapshot = self.core.executor.handle().snapshot().await;
        snapshot.map_or(PoolSnapshot { draining: true, ..PoolSnapshot::default() }, |it| it.pool)
    }

    /// How each queue of the broker is.
    fn queues(&self) -> Vec<BrokerHealth> {
        let queues = self.broker.get().into_iter().flatten();
        queues.map(|health| health.borrow().clone()).collect()
    }

    /// Notes the wish in the row: one that waits ends here, and that is told; one that runs is marked.
    pub(super) async fn request_cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError> {
        let answer = self.store.request_cancel(id).await?;
        match answer {
            CancelResult::Cancelled | CancelResult::Tombstone => {
                notify_rows(self.store.clone(), &self.core.bus, vec![id]);
            }
            CancelResult::Requested { .. } | CancelResult::AlreadyTerminal(_) => {}
        }
        Ok(answer)
    }

    /// Tells who runs it what a cancel led to, and for what it makes room, if it does.
    pub(super) async fn tell_owner(&self, id: Uuid, answer: CancelResult, made_room: Option<String>) {
        match answer {
            CancelResult::Requested { attempt, owner } if owner == self.core.claimant.owner => {
                self.core.dispatcher.cancel_wanted(attempt, made_room.as_deref());
            }
            CancelResult::Requested { owner, .. } => {
                // The owner learns it at its next renewal anyway; this is the fast way. To the others it is nothing.
                let addressed = AddressedCommand {
                    supervisor: Some(owner),
                    command: ControlCommand::Cancel { execution_id: id, reason: made_room },
                };
                let _ = self.core.bus.send_command(&addressed).await;
            }
            // One that ended here was announced when it was noted.
            CancelResult::Cancelled | CancelResult::Tombstone | CancelResult::AlreadyTerminal(_) => {}
        }
    }

    /// How long ago the oldest message was published whose execution waits for a worker here, in seconds.
    fn waited_since_published(&self, view: &PoolView) -> f64 {
        let published = self.core.in_flight.published_first().filter(|_| view.waiting > 0);
        published.map_or(0.0, |at| Timestamp::now().duration_since(at).as_secs_f64().max(0.0))
    }

    /// What a failure of the attempt that runs, or comes next, would lead to.
    async fn outlook(&self, record: &ExecutionRecord) -> Result<Option<String>, ServiceError> {
        let request = record.request.as_ref().map(|request| request.get().as_bytes());
        let Some(request) = request.and_then(|request| ExecutionRequest::parse(request).ok()) else {
            return Ok(None);
        };
        let row = match &request.target {
            Target::Id { workflow_id } => self.store.workflow(*workflow_id).await?,
            Target::Name { workflow } => self.store.workflow_named(workflow, request.organization_id).await?,
            Target::Code { .. } => None,
        };
        let (name, source) = resolve(request.target.clone(), row.as_ref());
        let declared = self.core.descriptions.of(&name, &source).map(|it| it.declared.retry.clone());
        let of_the_row = row.map(|row| row.retry_options()).unwrap_or_default();
        let charged = record.attempts_charged + u32::from(record.status == Status::Pending);
        let policy = RetryPolicy {
            stated: request.retry_options().or(of_the_row),
            declared: declared.unwrap_or_default(),
            attempts_charged: charged,
            ..RetryPolicy::default()
        };
        Ok(policy.outlook())
    }

    pub(super) fn default_max_attempts(&self) -> u32 {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).max_attempts
    }

    /// The row of a request whose parameters its code takes, as far as that is known.
    async fn checked(&self, request: &ExecutionRequest) -> Result<NewExecution, ServiceError> {
        let refused =
            |RefusedParameters { workflow, problems }| ServiceError::InvalidParameters { workflow, problems };
        self.preparer.check_parameters(request).await.map_err(refused)?;
        let (max_attempts, remembered) = {
            let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
            (settings.max_attempts, settings.idempotency)
        };
        let row = NewExecution::of(request, max_attempts).remembered_for(remembered);
        Ok(row.in_queue(&self.started_with.queue).refusable())
    }

    /// Several in one transaction.
    async fn submit_group(&self, requests: &[ExecutionRequest]) -> Vec<Result<SubmitAnswer, ServiceError>> {
        let (mut rows, mut refused) =
            (Vec::with_capacity(requests.len()), Vec::with_capacity(requests.len()));
        for request in requests {
            match self.checked(request).await {
                Ok(row) => {
                    rows.push(row);
                    refused.push(None);
                }
                Err(error) => refused.push(Some(error)),
            }
        }
        let mut written = self.write_group(rows).await.map(Vec::into_iter);
        let answer = |refused: Option<ServiceError>| match (refused, &mut written) {
            (Some(error), _) => Err(error),
            (None, Ok(written)) => written.next().unwrap_or_else(|| Err(no_answer())),
            (None, Err(error)) => Err(unavailable(error)),
        };
        refused.into_iter().map(answer).collect()
    }

    async fn write_group(
        &self,
        rows: Vec<NewExecution>,
    ) -> Result<Vec<Result<SubmitAnswer, ServiceError>>, ServiceError> {
        let written = self.store.submit(&rows).await?;
        let known = rows.iter().zip(&written).filter(|(row, submitted)| was_there(row, submitted));
        // The others are written by now: what cannot be looked at is only what was there before.
        let there = self.rows_under_ids_of(known.map(|(row, _)| row)).await.map_err(ServiceError::from);
        let answer = |(row, submitted): (NewExecution, Submitted)| {
            let row = if was_there(&row, &submitted) {
                there.as_ref().map_err(unavailable)?.refuse_others(row)?
            } else {
                row
            };
            self.submitted(&row, submitted)
        };
        Ok(rows.into_iter().zip(written).map(answer).collect())
    }

    pub(super) async fn insert(&self, row: NewExecution) -> Result<SubmitAnswer, ServiceError> {
        if self.claims.start_at_once(&row).await {
            let paused_by = Vec::new();
            return Ok(SubmitAnswer {
                execution_id: row.id,
                status: Status::Pending,
                existing: false,
                paused_by,
            });
        }
        // Whoever comes behind it must not be first.
        self.core.slots.note_waiting(true);
        let submitted = self.submits.submit(row.clone()).await?.ok_or_else(no_answer)?;
        if was_there(&row, &submitted) {
            let there = self.rows_under_ids_of([&row].into_iter()).await?;
            return self.submitted(&there.refuse_others(row)?, submitted);
        }
        self.submitted(&row, submitted)
    }

    /// What is answered about a row, which is told to watchers if it is new.
    pub(super) fn submitted(
        &self,
        row: &NewExecution,
        submitted: Submitted,
    ) -> Result<SubmitAnswer, ServiceError> {
        let answer = |execution_id, status, existing| {
            let kept = if status == Status::Pending { self.store.pauses_keeping(row) } else { Vec::new() };
            let paused_by = kept.iter().map(pause_view).collect();
            Ok(SubmitAnswer { execution_id, status, existing, paused_by })
        };
        match submitted {
            Submitted::Inserted => {
                self.tell_pending(row);
                answer(row.id, Status::Pending, false)
            }
            Submitted::Exists(status) => answer(row.id, status, false),
            Submitted::Existing { id, status } => answer(id, status, true),
            Submitted::KeyReused { id } => Err(ServiceError::KeyReused(id)),
            Submitted::LimitReached { limit, holder } => Err(ServiceError::LimitReached { limit, holder }),
            Submitted::Refused(message) => Err(ServiceError::Invalid(message)),
        }
    }
}
