//! Reading, on connections of its own.

use async_trait::async_trait;
use muster_core::execution::IdPrefix;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::columns::{signed, signed_long};
use super::error::store_error;
use super::session::record;
use super::transaction::{PostgresQuery, STATEMENT_TIMEOUT, within};
use super::{PLANS_MAX, PostgresStore, statements};
use crate::columns::TimeColumn;
use crate::finalized_event::unfolded;
use crate::flow::again;
use crate::listing::{ListRange, Listing, states};
use crate::{
    Cursor, EventRow, ExecutionFilter, ExecutionRecord, ExecutionRecords, ExecutionStore, LogRow, Result,
};

pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// What the query finds, as records.
pub(super) async fn all<'q, T>(
    store: &PostgresStore,
    query: impl Fn() -> PostgresQuery<'q> + Send + Sync,
    read: fn(&PgRow) -> sqlx::Result<T>,
) -> Result<Vec<T>> {
    let rows = again(PLANS_MAX, || ask(store, query())).await?;
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

/// The first that the query finds, as a record.
pub(super) async fn one<'q, T>(
    store: &PostgresStore,
    query: impl Fn() -> PostgresQuery<'q> + Send + Sync,
    read: fn(&PgRow) -> sqlx::Result<T>,
) -> Result<Option<T>> {
    let rows = again(PLANS_MAX, || ask(store, query())).await?;
    rows.first().map(read).transpose().map_err(store_error)
}

/// What the query finds. A session that failed is not used again: its statements may no longer fit the schema.
pub(super) async fn ask(store: &PostgresStore, query: PostgresQuery<'_>) -> Result<Vec<PgRow>> {
    let reads = &store.shared.reads;
    let mut lent = within(STATEMENT_TIMEOUT, reads.borrow()).await?;
    let rows = within(STATEMENT_TIMEOUT, query.fetch_all(&mut lent.connection)).await?;
    reads.give_back(lent);
    Ok(rows)
}

#[async_trait]
impl ExecutionStore for PostgresStore {
    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>> {
        one(self, || sqlx::query(statements::EXECUTION).bind(id), record::execution).await
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
        let (listing, range) = (Listing::of(filter), ListRange::of(filter));
        let query = || {
            let mut query = sqlx::query(statements::list(listing))
                .bind(TimeColumn(range.since))
                .bind(TimeColumn(range.before.created_at))
                .bind(range.before.id)
                .bind(count(filter.limit))
                .bind(states(filter));
            if let Some(organization_id) = filter.organization_id {
                query = query.bind(organization_id);
            }
            if let Some(workflow) = filter.workflow.as_deref() {
                query = query.bind(workflow);
            }
            if let Some(error_type) = filter.error_type.as_deref() {
                query = query.bind(error_type);
            }
            query
        };
        let executions = all(self, query, record::execution).await?;
        Ok(ExecutionRecords { next: Cursor::after(&executions, filter.limit), executions })
    }

    async fn executions_with_prefix(
        &self,
        prefix: IdPrefix,
        organization_id: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>> {
        let query = || {
            let query = sqlx::query(statements::EXECUTIONS_BETWEEN).bind(prefix.first).bind(prefix.last);
            query.bind(count(limit)).bind(organization_id)
        };
        all(self, query, record::execution).await
    }

    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>> {
        let query = || {
            let query = sqlx::query(statements::LOGS).bind(id);
            query.bind(signed(after.0)).bind(signed_long(after.1)).bind(count(limit))
        };
        all(self, query, record::log).await
    }

    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>> {
        Ok(unfolded(all(self, || sqlx::query(statements::EVENTS).bind(id), record::event).await?))
    }
}
