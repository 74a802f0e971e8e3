//! Ids under which something else was submitted before: whoever gives one again hears so, and not that what the other one
//! asked for was accepted.

use muster_store::{ExecutionRecord, NewExecution, StoreError, Submitted};
use uuid::Uuid;

use super::supervisor::Supervisor;
use crate::api::ServiceError;

/// What is there under some ids.
#[derive(Debug)]
pub(super) struct TakenIds {
    there: Vec<ExecutionRecord>,
}

impl TakenIds {
    /// The same row, unless another request has its id.
    ///
    /// # Errors
    /// That it is taken.
    pub(super) fn refuse_others(&self, row: NewExecution) -> Result<NewExecution, ServiceError> {
        let is_taken = self.there.iter().any(|record| row.differs_from(record));
        if is_taken { Err(ServiceError::IdTaken(row.id)) } else { Ok(row) }
    }
}

impl Supervisor {
    /// What is there under the ids of these.
    pub(super) async fn rows_under_ids_of(
        &self,
        rows: impl Iterator<Item = &NewExecution>,
    ) -> Result<TakenIds, StoreError> {
        let ids: Vec<Uuid> = rows.map(|row| row.id).collect();
        let there = if ids.is_empty() { Vec::new() } else { self.store.executions_by_id(&ids).await? };
        Ok(TakenIds { there })
    }
}

/// True when its id was there, so that it may be another's. What repeats another is known by that one.
pub(super) fn was_there(row: &NewExecution, submitted: &Submitted) -> bool {
    match submitted {
        Submitted::Exists(_) => row.retry_of.is_none(),
        Submitted::Inserted
        | Submitted::Existing { .. }
        | Submitted::KeyReused { .. }
        | Submitted::LimitReached { .. }
        | Submitted::Refused(_) => false,
    }
}
