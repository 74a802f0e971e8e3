//! The few things this intake does with rows besides claiming them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::store::{ExecutionRecord, Failure, NewExecution, Result, Store, Submitted};

/// See the methods of [`Store`].
#[async_trait]
pub(super) trait Rows: std::fmt::Debug + Send + Sync {
    /// What a claim of an existing row may be asked with; `None` without a row.
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>>;
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>>;
    async fn fail_unusable(&self, id: Uuid, failure: &Failure) -> Result<()>;
}

/// The rows of a store.
#[derive(Debug)]
pub(super) struct OfStore(pub(super) Arc<dyn Store>);

#[async_trait]
impl Rows for OfStore {
    async fn known(&self, id: Uuid) -> Result<Option<NewExecution>> {
        Ok(self.0.execution(id).await?.map(stand_in))
    }

    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        self.0.submit(executions).await
    }

    async fn fail_unusable(&self, id: Uuid, failure: &Failure) -> Result<()> {
        self.0.fail_unusable(id, failure).await.map(drop)
    }
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
        delay: Duration::ZERO,
    }
}
