//! Reading, beside the connection that writes.

use async_trait::async_trait;
use muster_core::execution::IdPrefix;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::error::store_error;
use super::session::{SqliteQuery, array, record};
use super::{SqliteStore, statements};
use crate::finalized_event::unfolded;
use crate::listing::{ListRange, Listing, states};
use crate::{
    Cursor, EventRow, ExecutionFilter, ExecutionRecord, ExecutionRecords, ExecutionStore, LogRow, Result,
    StoreError,
};

pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

impl SqliteStore {
    /// A statement that reads failed. Damage that it met is kept in mind.
    pub(super) fn read_error(&self, error: sqlx::Error) -> StoreError {
        let error = store_error(error);
        self.damage.note(&error);
        error
    }
}

/// What the query finds, as records.
pub(super) async fn all<T>(
    store: &SqliteStore,
    query: SqliteQuery<'_>,
    read: fn(&SqliteRow) -> sqlx::Result<T>,
) -> Result<Vec<T>> {
    let rows = query.fetch_all(&store.readers).await.map_err(|error| store.read_error(error))?;
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

/// The row that the query finds, as a record.
pub(super) async fn one<T>(
    store: &SqliteStore,
    query: SqliteQuery<'_>,
    read: fn(&SqliteRow) -> sqlx::Result<T>,
) -> Result<Option<T>> {
    let row = query.fetch_optional(&store.readers).await.map_err(|error| store.read_error(error))?;
    row.as_ref().map(read).transpose().map_err(store_error)
}

#[async_trait]
impl ExecutionStore for SqliteStore {
    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>> {
        one(self, sqlx::query(statements::EXECUTION).bind(id.to_string()), record::execution).await
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
        let (listing, range) = (Listing::of(filter), ListRange::of(filter));
        let mut query = sqlx::query(statements::list(listing))
            .bind(range.since.as_microsecond())
            .bind(range.before.created_at.as_microsecond())
            .bind(range.before.id.to_string())
            .bind(count(filter.limit))
            .bind(array(&states(filter))?);
        if let Some(organization_id) = filter.organization_id {
            query = query.bind(organization_id.to_string());
        }
        if let Some(workflow) = filter.workflow.as_deref() {
            query = query.bind(workflow);
        }
        if let Some(error_type) = filter.error_type.as_deref() {
            query = query.bind(error_type);
        }
        let executions = all(self, query, record::execution).await?;
        Ok(ExecutionRecords { next: Cursor::after(&executions, filter.limit), executions })
    }

    async fn executions_with_prefix(
        &self,
        prefix: IdPrefix,
        organization_id: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>> {
        let query = sqlx::query(statements::EXECUTIONS_BETWEEN)
            .bind(prefix.first.to_string())
            .bind(prefix.last.to_string())
            .bind(count(limit))
            .bind(organization_id.map(|id| id.to_string()));
        all(self, query, record::execution).await
    }

    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>> {
        let query = sqlx::query(statements::LOGS)
            .bind(id.to_string())
            .bind(after.0)
            .bind(i64::try_from(after.1).unwrap_or(i64::MAX))
            .bind(count(limit));
        all(self, query, record::log).await
    }

    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>> {
        Ok(unfolded(all(self, sqlx::query(statements::EVENTS).bind(id.to_string()), record::event).await?))
    }
}
