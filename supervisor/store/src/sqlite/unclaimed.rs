//! Single statements about rows that nobody holds.

use std::sync::PoisonError;
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::time::Instant;
use uuid::Uuid;

use super::error::store_error;
use super::session::{array, record};
use super::{SqliteStore, statements};
use crate::columns::{IdColumn, TimeColumn, now};
use crate::takeover::{Answer, LockEvidence, Look, OwnerSeen, ProcessEvidence, Sign};
use crate::{Claimant, ExpiredOwners, OverdueRow, QueueDepth, Result};

/// Rows that ran out, by the same rules as elsewhere. Only for whoever opens one file twice: a service locks its
/// folder, and then all others are lost.
pub(super) async fn lost(store: &SqliteStore, claimant: &Claimant) -> Result<ExpiredOwners> {
    let query =
        sqlx::query(statements::OVERDUE).bind(claimant.owner.to_string()).bind(now().as_microsecond());
    let rows = query.fetch_all(&store.readers).await.map_err(store_error)?;
    let read = |row: &SqliteRow| {
        let lease_ends = row.try_get::<TimeColumn, _>("lease_expires_at")?.0;
        let row_seen = OverdueRow { attempt: record::attempt(row)?, lease_ends };
        Ok((row_seen, row.try_get::<IdColumn, _>("lease_owner")?.0))
    };
    let overdue: Vec<_> = rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)?;
    let owners = overdue.iter().map(|(row, owner)| OwnerSeen {
        owner: *owner,
        sign: Sign { beats: None, lease_ends: row.lease_ends },
        lock: LockEvidence::NotShown,
        process: ProcessEvidence::Unknown,
        lease: None,
    });
    let look = Look { owners: owners.collect(), server_up_for: store.opened_at.elapsed(), overdue };
    let mut watch = store.watch.lock().unwrap_or_else(PoisonError::into_inner);
    watch.observe(Answer::Wrote { waited: Duration::ZERO }, Instant::now());
    Ok(watch.looked(&look, claimant.lease, Instant::now()))
}

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
