//! The few things this intake does with rows besides claiming them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use muster_bus::{Bus, Channel, OutcomeAnnouncement, StatusChange};
use muster_core::execution::Attempt;
use muster_store::{ExecutionFailure, ExecutionRecord, NewExecution, Result, Store, Submitted};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How long the cache may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

/// So many replies may wait for the outcome of another execution. What is beyond is told where that one is.
const REPLIES_MAX: usize = 1000;
/// How often such a one looks at the row although nobody told it of a change.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// See the methods of [`Store`].
#[async_trait]
pub(super) trait IntakeRows: std::fmt::Debug + Send + Sync {
    /// What a claim of an existing row may be asked with; `None` without a row.
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>>;
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>>;
    /// Whoever waits for the reply of one that failed here gets it.
    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure, sync: bool) -> Result<()>;
    /// Sends whoever waits for the reply of `id` the outcome of `existing`, in the background.
    fn reply_with(self: Arc<Self>, id: Uuid, existing: Uuid);
}

/// The rows of a store.
#[derive(Debug)]
pub(super) struct StoreRows {
    store: Arc<dyn Store>,
    bus: Bus,
    /// Room for those that wait for the outcome of another execution.
    replies: Arc<Semaphore>,
}

#[async_trait]
impl IntakeRows for StoreRows {
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>> {
        Ok(self.store.execution(id).await?.map(stand_in))
    }

    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        self.store.submit(executions).await
    }

    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure, sync: bool) -> Result<()> {
        let known = self.store.fail_unusable(id, failure).await?;
        // A row that was there already has been, or will be, answered by whoever ended it.
        if sync && known.is_none() {
            self.reply(id).await?;
        }
        Ok(())
    }

    fn reply_with(self: Arc<Self>, id: Uuid, existing: Uuid) {
        tokio::spawn(async move {
            let Some(record) = self.outcome_of(existing).await else { return };
            let outcome = [existing_outcome(id, record)];
            let told = self.bus.announce_outcomes(&outcome);
            match tokio::time::timeout(BUS_TIMEOUT, told).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(execution_id = %id, %error, "the outcome of {existing} could not be sent as a reply")
                }
                Err(_) => {
                    tracing::warn!(execution_id = %id, "the outcome of {existing} could not be sent as a reply in time")
                }
            }
        });
    }
}

impl StoreRows {
    /// The rows of this store.
    pub(super) fn new(store: Arc<dyn Store>, bus: Bus) -> Self {
        Self { store, bus, replies: Arc::new(Semaphore::new(REPLIES_MAX)) }
    }

    /// The execution once it is over, or as it is when too many wait already. `None`: it cannot be read.
    async fn outcome_of(&self, id: Uuid) -> Option<ExecutionRecord> {
        let place = Arc::clone(&self.replies).try_acquire_owned().ok();
        // Listening begins before the row is read, so no change can fall between the two.
        let mut watch = self.bus.watch(&[Channel::Execution(id)]).await;
        loop {
            match self.store.execution(id).await {
                Ok(Some(record)) if record.status.is_terminal() || place.is_none() => return Some(record),
                Ok(None) => return None,
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::debug!(execution_id = %id, %error, "an outcome that is waited for cannot be read yet")
                }
            }
            let _ = tokio::time::timeout(LOOK_EVERY, watch.next()).await;
        }
    }

    /// Sends the reply. Without the bus there is nobody to tell: whoever waits there waits in vain as for any other.
    async fn reply(&self, id: Uuid) -> Result<()> {
        let Some(record) = self.store.execution(id).await? else { return Ok(()) };
        let told =
            tokio::time::timeout(BUS_TIMEOUT, self.bus.announce_outcomes(&[failed_unrun(&record)])).await;
        match told {
            Ok(Ok(())) => self.store.mark_notified(&[id]).await?,
            Ok(Err(error)) => {
                tracing::warn!(execution_id = %id, %error, "a refusal could not be sent as a reply")
            }
            Err(_) => tracing::warn!(execution_id = %id, "a refusal could not be sent as a reply in time"),
        }
        Ok(())
    }
}

/// What is said of a row that ended without an attempt, to whoever waits for it.
fn failed_unrun(record: &ExecutionRecord) -> OutcomeAnnouncement {
    let at = record.completed_at.unwrap_or(record.created_at);
    let status = StatusChange {
        organization_id: record.organization_id,
        error_type: record.error_type.clone(),
        error_message: record.error_message.clone(),
        ..StatusChange::new(Attempt::new(record.id, record.attempt), record.status, at)
    };
    OutcomeAnnouncement { status, reply: serde_json::to_vec(record).ok().map(Bytes::from) }
}

/// What is said of another execution to whoever waits for the reply of a message with its idempotency key.
fn existing_outcome(id: Uuid, record: ExecutionRecord) -> OutcomeAnnouncement {
    let at = record.completed_at.unwrap_or(record.created_at);
    let record = ExecutionRecord { existing: true, ..record };
    let status = StatusChange {
        organization_id: record.organization_id,
        error_type: record.error_type.clone(),
        error_message: record.error_message.clone(),
        ..StatusChange::new(Attempt::new(id, record.attempt), record.status, at)
    };
    OutcomeAnnouncement { status, reply: serde_json::to_vec(&record).ok().map(Bytes::from) }
}

/// Stands for a row that exists: a claim takes the row's own request.
fn stand_in(row: ExecutionRecord) -> NewExecution {
    NewExecution {
        id: row.id,
        workflow_id: row.workflow_id,
        workflow_name: row.workflow_name,
        organization_id: row.organization_id,
        caller: row.caller,
        request: row.request.unwrap_or_else(|| RawValue::NULL.to_owned()),
        max_attempts: row.max_attempts,
        timeout_seconds: row.timeout_seconds,
        priority: row.priority,
        retry_of: row.retry_of,
        queue: row.queue,
        is_queue_default: false,
        // Those of the row hold.
        delay: Duration::ZERO,
        run_at: None,
        expiry: None,
        idempotency: None,
        limits: row.limits.into_iter().map(|held| held.name).collect(),
        // That of the row holds too.
        published_at: None,
        is_refusable: false,
    }
}
