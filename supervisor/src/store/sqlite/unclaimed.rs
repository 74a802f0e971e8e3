//! Single statements about rows that nobody holds.

use std::time::Duration;

use sqlx::Row;
use uuid::Uuid;

use super::error::store_error;
use super::session::array;
use super::{SqliteStore, statements};
use crate::store::columns::now;
use crate::store::{QueueDepth, Result};

pub(super) async fn depth(store: &SqliteStore) -> Result<QueueDepth> {
    let row = sqlx::query(statements::QUEUE_DEPTH).fetch_one(&store.readers).await.map_err(store_error)?;
    let pending: i64 = row.try_get("pending").map_err(store_error)?;
    let oldest: Option<i64> = row.try_get("oldest").map_err(store_error)?;
    let waited = |due: i64| u64::try_from(now().as_microsecond() - due).ok().map(Duration::from_micros);
    Ok(QueueDepth {
        pending: u64::try_from(pending).unwrap_or_default(),
        oldest_wait: oldest.and_then(waited),
    })
}

pub(super) async fn next_due(store: &SqliteStore) -> Result<Option<Duration>> {
    let row = sqlx::query(statements::NEXT_DUE).fetch_one(&store.readers).await.map_err(store_error)?;
    let due: Option<i64> = row.try_get(0).map_err(store_error)?;
    let until = |due: i64| Duration::from_micros(u64::try_from(due - now().as_microsecond()).unwrap_or(0));
    Ok(due.map(until))
}

pub(super) async fn mark_notified(store: &SqliteStore, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(statements::MARK_NOTIFIED).bind(array(ids)?).bind(now().as_microsecond());
    query.execute(&store.writer).await.map_err(store_error)?;
    Ok(())
}
