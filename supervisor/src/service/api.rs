//! What the HTTP interface asks of a supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_bus::{AddressedCommand, ControlCommand, StatusChange};
use muster_core::execution::{Attempt, ExecutionRequest, Status};
use muster_core::pool::PoolSnapshot;
use muster_intake::rabbitmq::BrokerHealth;
use muster_protocol::{CancelReason, ErrorInfo};
use muster_store::{CancelResult, DatabaseFacts, NewExecution, PresenceShown, Submitted};
use uuid::Uuid;

use super::database_status::{SILENT_MAX, StatusReading};
use super::supervisor::Supervisor;
use crate::api::{
    ApiService, PoolView, Readiness, ReadinessPart, RecycleTarget, ServiceError, WorkflowsView,
};
use crate::finalize::{RefusalCause, RefusedOutcome};
use crate::notify::sweep::notify_rows;
use crate::observe::Unwritten;

/// More workers than this are surely a mistake.
const WORKERS_MAX: usize = 10_000;

/// How long we may be invisible to others while the database can be written.
const PRESENCE_WITHIN: Duration = Duration::from_secs(60);

#[async_trait]
impl ApiService for Supervisor {
    async fn submit(&self, request: ExecutionRequest) -> Result<Status, ServiceError> {
        self.preparer.check_parameters(&request).await.map_err(ServiceError::Invalid)?;
        let row = NewExecution::of(&request, self.default_max_attempts());
        self.insert(row).await
    }

    fn workflows(&self) -> WorkflowsView {
        self.core.descriptions.view()
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError> {
        let answer = self.request_cancel(id).await?;
        match answer {
            CancelResult::Requested { attempt, owner } if owner == self.core.claimant.owner => {
                self.core.dispatcher.cancel(attempt, CancelReason::User, "cancelled on request");
            }
            CancelResult::Requested { owner, .. } => {
                // The owner learns it at its next renewal anyway; this is the fast way. To the others it is nothing.
                let addressed = AddressedCommand {
                    supervisor: Some(owner),
                    command: ControlCommand::Cancel { execution_id: id },
                };
                let _ = self.core.bus.send_command(&addressed).await;
            }
            // One that ended here was announced when it was noted.
            CancelResult::Cancelled | CancelResult::Tombstone | CancelResult::AlreadyTerminal(_) => {}
        }
        Ok(answer)
    }

    async fn retry(&self, id: Uuid) -> Result<Uuid, ServiceError> {
        let record = self.core.store.execution(id).await?;
        let record = record.ok_or_else(|| ServiceError::NotFound(format!("there is no execution {id}")))?;
        if !record.status.is_terminal() {
            let message =
                format!("execution {id} is {}: wait for its end, or cancel it first", record.status);
            return Err(ServiceError::Conflict(message));
        }
        let request =
            record.request.ok_or_else(|| ServiceError::Conflict("its request was not stored".into()))?;
        let mut request = ExecutionRequest::parse(request.get().as_bytes())
            .map_err(|error| ServiceError::Conflict(format!("its request cannot be run again: {error}")))?;
        request.execution_id = Uuid::now_v7();
        let new = request.execution_id;
        let row =
            NewExecution { retry_of: Some(id), ..NewExecution::of(&request, self.default_max_attempts()) };
        self.insert(row).await?;
        Ok(new)
    }

    async fn pool(&self) -> PoolView {
        let snapshot = self.core.executor.handle().snapshot().await;
        let pending = self.known.pending(self.core.store.clone()).await;
        // An executor that is gone has drained.
        let pool = snapshot.map_or(PoolSnapshot { draining: true, ..PoolSnapshot::default() }, |it| it.pool);
        PoolView::of(&pool, self.core.claimant.owner, self.started_at, pending)
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
        let store = store_part(&self.known.facts(self.core.store.clone()).await);
        let workers = match self.core.health.start_trouble() {
            None => part("workers", true, "workers start"),
            Some(trouble) => part(
                "workers",
                false,
                format!("{} starts in a row failed, the last: {}", trouble.consecutive, trouble.message),
            ),
        };
        let closed = self.core.slots.closed();
        let reasons: Vec<_> = closed.iter().map(|reason| reason.explain()).collect();
        let intake = match reasons.as_slice() {
            [] => part("intake", true, "open"),
            reasons => part("intake", false, reasons.join("; ")),
        };
        let broker = self.broker.get().map(|health| health.borrow().clone());
        let waiting = broker.as_ref().map_or(0, |broker| broker.waiting_for_records);
        let bus = bus_part(self.core.bus.health().problem, waiting);
        let mut parts = vec![store, workers, intake, outcomes_part(&self.core.refused()), bus];
        parts.extend(files_part(&self.core.descriptions.broken()));
        parts.extend(presence_part(self.core.store.presence()));
        parts.extend(broker.map(|broker| queue_part(&broker, self.core.slots.free() > 0)));
        Readiness::of(parts)
    }

    fn liveness(&self) -> Result<(), String> {
        self.liveness.check()?;
        match self.core.store.presence() {
            PresenceShown::Lost { since, why, beats: false }
                if since > PRESENCE_WITHIN && self.core.store.writes_work() =>
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
        let (pool, readiness) = tokio::join!(self.pool(), self.readiness());
        let unwritten = Unwritten {
            store_answer_age: self.known.age(),
            refused: self.core.refused().len(),
            in_memory: self.core.in_memory_only(),
        };
        self.core.metrics.encode(&pool, &readiness, &self.core.bus.health(), unwritten)
    }
}

impl Supervisor {
    /// Notes the wish in the row: one that waits ends here, and that is told; one that runs is marked.
    pub(super) async fn request_cancel(&self, id: Uuid) -> Result<CancelResult, ServiceError> {
        let answer = self.core.store.request_cancel(id).await?;
        match answer {
            CancelResult::Cancelled | CancelResult::Tombstone => {
                notify_rows(self.core.store.clone(), &self.core.bus, vec![id]);
            }
            CancelResult::Requested { .. } | CancelResult::AlreadyTerminal(_) => {}
        }
        Ok(answer)
    }

    fn default_max_attempts(&self) -> u32 {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).max_attempts
    }

    async fn insert(&self, row: NewExecution) -> Result<Status, ServiceError> {
        let mut submitted = self.core.store.submit(std::slice::from_ref(&row)).await?;
        match submitted.pop() {
            Some(Submitted::Inserted) => {
                let workflow = row.workflow_name.clone();
                let pending = StatusChange::new(Attempt::new(row.id, 0), Status::Pending, Timestamp::now());
                self.core.bus.status_changed(&StatusChange { workflow, ..pending });
                Ok(Status::Pending)
            }
            Some(Submitted::Exists(status)) => Ok(status),
            Some(Submitted::Refused(message)) => Err(ServiceError::Invalid(message)),
            None => Err(ServiceError::Unavailable("the store gave no answer".to_owned())),
        }
    }
}

/// What others see of us. Without a lock and without a beat they may take over what runs here.
fn presence_part(shown: PresenceShown) -> Option<ReadinessPart> {
    match shown {
        PresenceShown::NotNeeded => None,
        PresenceShown::Yes => Some(part("presence", true, "other supervisors see that this one lives")),
        PresenceShown::Lost { since, why, beats } => {
            let shown = if beats { "its beats go on" } else { "it does not beat either" };
            let detail = format!(
                "the lock that shows that this supervisor lives has been lost for {} s, {shown}: {why}",
                since.as_secs()
            );
            Some(part("presence", beats, detail))
        }
    }
}

/// One row that its database refuses is named, and no reason to take nothing else.
fn outcomes_part(refused: &[RefusedOutcome]) -> ReadinessPart {
    let Some(first) = refused.first() else { return part("outcomes", true, "all are taken") };
    let RefusedOutcome { attempt, message, cause, tries: _ } = first;
    let count = refused.len();
    let look_for = match cause {
        RefusalCause::Refused => "a trigger or a constraint that holds back its row",
        RefusalCause::Locked => "a transaction that was left open",
    };
    let detail = format!(
        "the database does not take {count} of them and takes all others; the first is {attempt}: {message}; look \
         for {look_for}"
    );
    part("outcomes", true, detail)
}

/// What the database said last, and when. One that is slow for a moment is as ready as it was.
/// The workflow files that cannot be loaded: the others serve, so nothing is unready for them.
fn files_part(broken: &BTreeMap<String, ErrorInfo>) -> Option<ReadinessPart> {
    const NAMED_MAX: usize = 5;
    const MESSAGE_MAX_CHARS: usize = 200;
    let named = broken.iter().take(NAMED_MAX).map(|(file, error)| {
        let message: String =
            error.message.lines().next().unwrap_or_default().chars().take(MESSAGE_MAX_CHARS).collect();
        format!("{file} ({}: {message})", error.kind)
    });
    let mut named: Vec<String> = named.collect();
    match broken.len() {
        0 => return None,
        all if all > NAMED_MAX => named.push(format!("{} more", all - NAMED_MAX)),
        _ => {}
    }
    Some(part("files", true, format!("all are loaded but {}", named.join(", "))))
}

fn store_part(facts: &StatusReading<DatabaseFacts>) -> ReadinessPart {
    let age = facts.age.as_secs();
    let silent = facts.silent_for.filter(|silent| *silent >= SILENT_MAX);
    match (&facts.answer, silent) {
        (Some(Ok(facts)), None) if age == 0 => {
            part("store", true, format!("{} {}", facts.backend, facts.version))
        }
        (Some(Ok(facts)), None) => {
            part("store", true, format!("{} {} (as of {age} s ago)", facts.backend, facts.version))
        }
        (Some(Err(problem)), None) if age == 0 => part("store", false, problem.as_str()),
        (Some(Err(problem)), None) => part("store", false, format!("{problem} (as of {age} s ago)")),
        (None, None) => part("store", false, "the database has not answered yet"),
        (_, Some(silent)) => {
            part("store", false, format!("the database has not answered for {} s", silent.as_secs()))
        }
    }
}

/// Executions go on without the bus: it is named, and does not make us unready.
fn bus_part(problem: Option<String>, waiting_for_records: usize) -> ReadinessPart {
    let waiting = match waiting_for_records {
        0 => String::new(),
        1 => "; 1 message waits for its pending record in Redis".to_owned(),
        count => format!("; {count} messages wait for their pending records in Redis"),
    };
    let detail = match problem {
        Some(problem) => {
            format!("redis: {problem}; other executions go on, live views and sync replies wait{waiting}")
        }
        None => format!("live views work{waiting}"),
    };
    part("bus", true, detail)
}

/// The store's rows are polled whatever the broker does, so a broker that is away is a degraded intake, named
/// and not ready. Connected means that the broker has confirmed a consumer, or that no slot is free for one.
fn queue_part(health: &BrokerHealth, slots_are_free: bool) -> ReadinessPart {
    if let Some(problem) = health.problem.as_ref().or(health.consume_problem.as_ref()) {
        return part("queue", false, format!("rabbitmq: {problem}; connecting again"));
    }
    if !health.confirmed && slots_are_free {
        return part("queue", false, "rabbitmq: connected, and has not confirmed our consumer yet");
    }
    let detail = if health.differences.is_empty() {
        "rabbitmq is connected".to_owned()
    } else {
        health.differences.join("; ")
    };
    part("queue", true, detail)
}

fn part(part: &str, ready: bool, detail: impl Into<String>) -> ReadinessPart {
    ReadinessPart { part: part.to_owned(), ready, detail: detail.into() }
}
