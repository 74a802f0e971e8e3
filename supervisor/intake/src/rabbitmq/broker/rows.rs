//! The few things this intake does with rows besides claiming them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use muster_bus::{Bus, OutcomeAnnouncement, StatusChange};
use muster_core::execution::Attempt;
use muster_store::{ExecutionFailure, ExecutionRecord, NewExecution, Result, Store, Submitted};
use serde_json::value::RawValue;
use uuid::Uuid;

/// How long the cache may take to answer.
const BUS_TIMEOUT: Duration = Duration::from_secs(1);

/// See the methods of [`Store`].
#[async_trait]
pub(super) trait IntakeRows: std::fmt::Debug + Send + Sync {
    /// What a claim of an existing row may be asked with; `None` without a row.
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>>;
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>>;
    /// Whoever waits for the reply of one that failed here gets it.
    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure, sync: bool) -> Result<()>;
}

/// The rows of a store.
#[derive(Debug)]
pub(super) struct StoreRows {
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Bus,
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
}

impl StoreRows {
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
        error_type: record.error_type.clone(),
        error_message: record.error_message.clone(),
        ..StatusChange::new(Attempt::new(record.id, record.attempt), record.status, at)
    };
    OutcomeAnnouncement { status, reply: serde_json::to_vec(record).ok().map(Bytes::from) }
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
        // Those of the row hold.
        delay: Duration::ZERO,
        run_at: None,
        expiry: None,
    }
}
