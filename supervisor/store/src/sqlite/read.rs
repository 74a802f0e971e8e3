//! Reading, on connections of its own.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::Row;
use uuid::Uuid;

use super::error::store_error;
use super::session::{array, record};
use super::{SqliteStore, statements};
use crate::columns::{JsonColumn, now};
use crate::rows::micros;
use crate::{
    Claimed, ConfigEntry, Cursor, EventRow, ExecutionFilter, ExecutionRecord, ExecutionRecords, LogRow,
    OrganizationRecord, Result, WorkflowRecord,
};

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) async fn execution(store: &SqliteStore, id: Uuid) -> Result<Option<ExecutionRecord>> {
    let query = sqlx::query(statements::EXECUTION).bind(id.to_string());
    let row = query.fetch_optional(&store.readers).await.map_err(store_error)?;
    row.as_ref().map(record::execution).transpose().map_err(store_error)
}

pub(super) async fn executions_by_id(store: &SqliteStore, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
    let query = sqlx::query(statements::EXECUTIONS_BY_ID).bind(array(ids)?);
    let rows = query.fetch_all(&store.readers).await.map_err(store_error)?;
    rows.iter().map(|row| record::execution(row).map_err(store_error)).collect()
}

pub(super) async fn claimed_by(store: &SqliteStore, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
    let query = sqlx::query(statements::CLAIMED_BY).bind(array(ids)?).bind(owner.to_string());
    let rows = query.fetch_all(&store.readers).await.map_err(store_error)?;
    rows.iter().map(|row| record::claimed(row).map_err(store_error)).collect()
}

pub(super) async fn executions(store: &SqliteStore, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
    let rows = sqlx::query(statements::EXECUTIONS)
        .bind(filter.status.map(|status| status.as_str()))
        .bind(filter.workflow.as_deref())
        .bind(filter.organization_id.map(|id| id.to_string()))
        .bind(filter.cursor.map(|cursor| cursor.created_at.as_microsecond()))
        .bind(filter.cursor.map(|cursor| cursor.id.to_string()))
        .bind(count(filter.limit))
        .fetch_all(&store.readers)
        .await
        .map_err(store_error)?;
    let executions: Vec<ExecutionRecord> =
        rows.iter().map(record::execution).collect::<sqlx::Result<_>>().map_err(store_error)?;
    Ok(ExecutionRecords { next: Cursor::after(&executions, filter.limit), executions })
}

pub(super) async fn unnotified(
    store: &SqliteStore,
    older_than: Duration,
    limit: usize,
) -> Result<Vec<ExecutionRecord>> {
    let rows = sqlx::query(statements::UNNOTIFIED)
        .bind(now().as_microsecond() - micros(older_than))
        .bind(count(limit))
        .fetch_all(&store.readers)
        .await
        .map_err(store_error)?;
    rows.iter().map(record::execution).collect::<sqlx::Result<_>>().map_err(store_error)
}

pub(super) async fn logs(
    store: &SqliteStore,
    id: Uuid,
    after: (u32, u64),
    limit: usize,
) -> Result<Vec<LogRow>> {
    let rows = sqlx::query(statements::LOGS)
        .bind(id.to_string())
        .bind(after.0)
        .bind(i64::try_from(after.1).unwrap_or(i64::MAX))
        .bind(count(limit))
        .fetch_all(&store.readers)
        .await
        .map_err(store_error)?;
    rows.iter().map(record::log).collect::<sqlx::Result<_>>().map_err(store_error)
}

pub(super) async fn events(store: &SqliteStore, id: Uuid) -> Result<Vec<EventRow>> {
    let query = sqlx::query(statements::EVENTS).bind(id.to_string());
    let rows = query.fetch_all(&store.readers).await.map_err(store_error)?;
    rows.iter().map(record::event).collect::<sqlx::Result<_>>().map_err(store_error)
}

pub(super) async fn workflow(store: &SqliteStore, id: Uuid) -> Result<Option<WorkflowRecord>> {
    let query = sqlx::query(statements::WORKFLOW).bind(id.to_string());
    let row = query.fetch_optional(&store.readers).await.map_err(store_error)?;
    row.as_ref().map(record::workflow).transpose().map_err(store_error)
}

pub(super) async fn workflow_named(
    store: &SqliteStore,
    name: &str,
    organization_id: Option<Uuid>,
) -> Result<Option<WorkflowRecord>> {
    let query =
        sqlx::query(statements::WORKFLOW_NAMED).bind(name).bind(organization_id.map(|id| id.to_string()));
    let row = query.fetch_optional(&store.readers).await.map_err(store_error)?;
    row.as_ref().map(record::workflow).transpose().map_err(store_error)
}

pub(super) async fn organization(store: &SqliteStore, id: Uuid) -> Result<Option<OrganizationRecord>> {
    let query = sqlx::query(statements::ORGANIZATION).bind(id.to_string());
    let row = query.fetch_optional(&store.readers).await.map_err(store_error)?;
    row.as_ref().map(record::organization).transpose().map_err(store_error)
}

pub(super) async fn config(store: &SqliteStore, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
    let query = sqlx::query(statements::CONFIG).bind(organization_id.map(|id| id.to_string()));
    let rows = query.fetch_all(&store.readers).await.map_err(store_error)?;
    rows.iter().map(record::config_entry).collect::<sqlx::Result<_>>().map_err(store_error)
}

pub(super) async fn state(
    store: &SqliteStore,
    organization_id: Option<Uuid>,
    key: &str,
) -> Result<Option<Box<RawValue>>> {
    let query = sqlx::query(statements::STATE).bind(organization_id.map(|id| id.to_string())).bind(key);
    let row = query.fetch_optional(&store.readers).await.map_err(store_error)?;
    row.map(|row| row.try_get::<JsonColumn, _>("value").map(|json| json.0)).transpose().map_err(store_error)
}
