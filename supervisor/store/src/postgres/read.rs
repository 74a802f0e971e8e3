//! Reading, on connections of its own.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, Row};
use uuid::Uuid;

use super::columns::{signed, signed_long};
use super::error::store_error;
use super::session::record;
use super::transaction::{PostgresQuery, STATEMENT_TIMEOUT, within};
use super::{PostgresStore, statements};
use crate::columns::{JsonColumn, TimeColumn};
use crate::rows::micros;
use crate::{
    Claimed, ConfigEntry, Cursor, EventRow, ExecutionFilter, ExecutionRecord, ExecutionRecords, LogRow,
    OrganizationRecord, Result, StoreError, WorkflowRecord,
};

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

async fn all<T>(
    store: &PostgresStore,
    query: PostgresQuery<'_>,
    read: fn(&PgRow) -> sqlx::Result<T>,
) -> Result<Vec<T>> {
    let rows = ask(store, query).await?;
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

/// A session whose statements no longer fit the schema forgets them.
async fn ask(store: &PostgresStore, query: PostgresQuery<'_>) -> Result<Vec<PgRow>> {
    let mut connection = within(STATEMENT_TIMEOUT, store.shared.reads.acquire()).await?;
    let answer = within(STATEMENT_TIMEOUT, query.fetch_all(&mut *connection)).await;
    if let Err(StoreError::StalePlan { .. }) = answer {
        within(STATEMENT_TIMEOUT, connection.clear_cached_statements()).await?;
    }
    answer
}

async fn one<T>(
    store: &PostgresStore,
    query: PostgresQuery<'_>,
    read: fn(&PgRow) -> sqlx::Result<T>,
) -> Result<Option<T>> {
    let rows = ask(store, query).await?;
    rows.first().map(read).transpose().map_err(store_error)
}

pub(super) async fn execution(store: &PostgresStore, id: Uuid) -> Result<Option<ExecutionRecord>> {
    one(store, sqlx::query(statements::EXECUTION).bind(id), record::execution).await
}

/// On a connection that is ready: callers wait for these rows.
pub(super) async fn executions_by_id(store: &PostgresStore, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
    let statements = &store.shared.statements;
    let mut lent = within(STATEMENT_TIMEOUT, statements.borrow()).await?;
    let query = sqlx::query(statements::EXECUTIONS_BY_ID).bind(ids);
    let rows = within(STATEMENT_TIMEOUT, query.fetch_all(&mut lent.connection)).await?;
    statements.give_back(lent);
    rows.iter().map(|row| record::execution(row).map_err(store_error)).collect()
}

pub(super) async fn claimed_by(store: &PostgresStore, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
    all(store, sqlx::query(statements::CLAIMED_BY).bind(ids).bind(owner), record::claimed).await
}

pub(super) async fn executions(store: &PostgresStore, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
    let query = sqlx::query(statements::EXECUTIONS)
        .bind(filter.status.map(|status| status.as_str()))
        .bind(filter.workflow.as_deref())
        .bind(filter.organization_id)
        .bind(filter.cursor.map(|cursor| TimeColumn(cursor.created_at)))
        .bind(filter.cursor.map(|cursor| cursor.id))
        .bind(count(filter.limit));
    let executions = all(store, query, record::execution).await?;
    Ok(ExecutionRecords { next: Cursor::after(&executions, filter.limit), executions })
}

pub(super) async fn unnotified(
    store: &PostgresStore,
    older_than: Duration,
    limit: usize,
) -> Result<Vec<ExecutionRecord>> {
    let query = sqlx::query(statements::UNNOTIFIED).bind(micros(older_than)).bind(count(limit));
    all(store, query, record::execution).await
}

pub(super) async fn logs(
    store: &PostgresStore,
    id: Uuid,
    after: (u32, u64),
    limit: usize,
) -> Result<Vec<LogRow>> {
    let query = sqlx::query(statements::LOGS)
        .bind(id)
        .bind(signed(after.0))
        .bind(signed_long(after.1))
        .bind(count(limit));
    all(store, query, record::log).await
}

pub(super) async fn events(store: &PostgresStore, id: Uuid) -> Result<Vec<EventRow>> {
    all(store, sqlx::query(statements::EVENTS).bind(id), record::event).await
}

pub(super) async fn workflow(store: &PostgresStore, id: Uuid) -> Result<Option<WorkflowRecord>> {
    one(store, sqlx::query(statements::WORKFLOW).bind(id), record::workflow).await
}

pub(super) async fn workflow_named(
    store: &PostgresStore,
    name: &str,
    organization_id: Option<Uuid>,
) -> Result<Option<WorkflowRecord>> {
    let query = sqlx::query(statements::WORKFLOW_NAMED).bind(name).bind(organization_id);
    one(store, query, record::workflow).await
}

pub(super) async fn organization(store: &PostgresStore, id: Uuid) -> Result<Option<OrganizationRecord>> {
    one(store, sqlx::query(statements::ORGANIZATION).bind(id), record::organization).await
}

pub(super) async fn config(store: &PostgresStore, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
    all(store, sqlx::query(statements::CONFIG).bind(organization_id), record::config_entry).await
}

pub(super) async fn state(
    store: &PostgresStore,
    organization_id: Option<Uuid>,
    key: &str,
) -> Result<Option<Box<RawValue>>> {
    let query = sqlx::query(statements::STATE).bind(organization_id).bind(key);
    one(store, query, |row| row.try_get::<JsonColumn, _>("value").map(|json| json.0)).await
}
