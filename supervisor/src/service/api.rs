//! What the HTTP interface asks of a supervisor.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::CancelReason;
use uuid::Uuid;

use super::supervisor::Supervisor;
use super::sweep::announce_rows;
use crate::bus::{Order, StatusChange};
use crate::execution::{Attempt, Request, Status};
use crate::http::view::{Part, PoolView, Readiness};
use crate::http::{RecycleTarget, Service, ServiceError};
use crate::intake::rabbitmq::BrokerHealth;
use crate::pool::PoolSnapshot;
use crate::store::{CancelAnswer, NewExecution, Submitted};

/// More workers than this are surely a mistake.
const WORKERS_MAX: usize = 10_000;

#[async_trait]
impl Service for Supervisor {
    async fn submit(&self, request: Request) -> Result<Status, ServiceError> {
        let row = NewExecution::of(&request, self.default_max_attempts());
        self.insert(row).await
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelAnswer, ServiceError> {
        let answer = self.request_cancel(id).await?;
        match answer {
            CancelAnswer::Requested { attempt, owner } if owner == self.core.claimant.owner => {
                self.core.desk.cancel(attempt, CancelReason::User, "cancelled on request");
            }
            CancelAnswer::Requested { .. } => {
                // The owner learns it at its next renewal anyway; this is the fast way.
                let _ = self.core.bus.give_order(&Order::Cancel { execution_id: id }.into()).await;
            }
            CancelAnswer::Cancelled | CancelAnswer::Tombstone => {
                announce_rows(&self.core.store, &self.core.bus, vec![id]);
            }
            CancelAnswer::AlreadyTerminal(_) => {}
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
        let mut request = Request::parse(request.get().as_bytes())
            .map_err(|error| ServiceError::Conflict(format!("its request cannot be run again: {error}")))?;
        request.execution_id = Uuid::now_v7();
        let new = request.execution_id;
        let row =
            NewExecution { retry_of: Some(id), ..NewExecution::of(&request, self.default_max_attempts()) };
        self.insert(row).await?;
        Ok(new)
    }

    async fn pool(&self) -> PoolView {
        let snapshot = self.core.crew.handle().snapshot().await;
        let pending = self.core.store.queue_depth().await.ok().map(|depth| depth.pending);
        // A crew that is gone has drained.
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
        self.core.crew.handle().resize(min_workers, max_workers);
        Ok(())
    }

    async fn recycle(&self, target: RecycleTarget) -> Result<(), ServiceError> {
        let crew = self.core.crew.handle();
        let RecycleTarget::Worker(worker) = target else {
            crew.recycle_all();
            return Ok(());
        };
        let snapshot = crew.snapshot().await;
        if !snapshot.is_some_and(|snapshot| snapshot.pool.workers.iter().any(|known| known.worker == worker))
        {
            return Err(ServiceError::NotFound(format!(
                "no worker {worker}: `supervisor status` lists them"
            )));
        }
        crew.recycle(worker);
        Ok(())
    }

    async fn reload(&self) -> Result<(), ServiceError> {
        Self::reload(self).map_err(ServiceError::Invalid)
    }

    async fn readiness(&self) -> Readiness {
        let facts = self.core.store.facts().await;
        let store = match &facts {
            Ok(facts) => part("store", true, format!("{} {}", facts.backend, facts.version)),
            Err(error) => part("store", false, error.to_string()),
        };
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
        let health = self.core.bus.health();
        // Executions go on without the bus: it is named, and does not make us unready.
        let bus = match health.problem {
            Some(problem) => format!("redis: {problem}; executions go on, live views and sync replies wait"),
            None => "live views work".to_owned(),
        };
        let bus = part("bus", true, bus);
        let mut parts = vec![store, workers, intake, bus];
        parts.extend(self.broker.get().map(|health| queue_part(&health.borrow())));
        Readiness::of(parts)
    }

    fn liveness(&self) -> Result<(), String> {
        self.pulse.check()
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
        let (pool, readiness) = (self.pool().await, self.readiness().await);
        self.core.metrics.encode(&pool, &readiness, &self.core.bus.health())
    }
}

impl Supervisor {
    /// Notes the wish in the row: one that waits ends here, and that is told; one that runs is marked.
    pub(super) async fn request_cancel(&self, id: Uuid) -> Result<CancelAnswer, ServiceError> {
        let answer = self.core.store.request_cancel(id).await?;
        match answer {
            CancelAnswer::Cancelled | CancelAnswer::Tombstone => {
                announce_rows(&self.core.store, &self.core.bus, vec![id]);
            }
            CancelAnswer::Requested { .. } | CancelAnswer::AlreadyTerminal(_) => {}
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

/// The store's rows are polled whatever the broker does, so a broker that is away is a degraded intake, named
/// and not ready.
fn queue_part(health: &BrokerHealth) -> Part {
    match &health.problem {
        Some(problem) => part("queue", false, format!("rabbitmq: {problem}; connecting again")),
        None if !health.differences.is_empty() => part("queue", true, health.differences.join("; ")),
        None => part("queue", true, "rabbitmq is connected"),
    }
}

fn part(part: &str, ready: bool, detail: impl Into<String>) -> Part {
    Part { part: part.to_owned(), ready, detail: detail.into() }
}
