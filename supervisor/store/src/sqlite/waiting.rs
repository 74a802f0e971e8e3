//! What waits, and when it is due.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::error::store_error;
use super::session::array;
use super::{SqliteStore, read, statements};
use crate::columns::now;
use crate::pauses::{PAUSES, REASONS_MAX};
use crate::{QueueDepth, QueueUse, Result, ServedQueues, WaitingStore};

#[async_trait]
impl WaitingStore for SqliteStore {
    async fn queue_depth(&self) -> Result<QueueDepth> {
        let row = sqlx::query(statements::QUEUE_DEPTH)
            .fetch_one(&self.readers)
            .await
            .map_err(|error| self.read_error(error))?;
        let pending: i64 = row.try_get("pending").map_err(store_error)?;
        let oldest: Option<i64> = row.try_get("oldest").map_err(store_error)?;
        let waited = |due: i64| u64::try_from(now().as_microsecond() - due).ok().map(Duration::from_micros);
        Ok(QueueDepth {
            pending: u64::try_from(pending).unwrap_or_default(),
            oldest_wait: oldest.and_then(waited),
        })
    }

    async fn queue_uses(&self) -> Result<Vec<QueueUse>> {
        let query = sqlx::query(statements::QUEUE_USES).bind(now().as_microsecond());
        let rows = query.fetch_all(&self.readers).await.map_err(|error| self.read_error(error))?;
        rows.iter().map(queue_use).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn next_due(&self, queues: &ServedQueues) -> Result<Option<Duration>> {
        let pauses = self.pauses.now().unwrap_or_default();
        let Some(queues) = pauses.open_queues(queues) else { return Ok(None) };
        let query = sqlx::query(statements::NEXT_DUE).bind(now().as_microsecond());
        let query = query.bind(array(queues.in_statements())?);
        let row = query.fetch_one(&self.readers).await.map_err(|error| self.read_error(error))?;
        let due: Option<i64> = row.try_get(0).map_err(store_error)?;
        let until =
            |due: i64| Duration::from_micros(u64::try_from(due - now().as_microsecond()).unwrap_or(0));
        Ok(due.map(until))
    }

    async fn ahead(&self, id: Uuid) -> Result<u64> {
        let between = sqlx::query(statements::WAITED_FOR_BETWEEN).bind(PAUSES.0).bind(PAUSES.1);
        let paused = between.bind(read::count(REASONS_MAX));
        let waited_for = read::all(self, paused, |row| row.try_get("waits_for")).await?;
        let resumed = array(&self.pauses.resumed(waited_for))?;
        let query = sqlx::query(statements::AHEAD).bind(id.to_string()).bind(now().as_microsecond());
        let query = query.bind(resumed);
        let row = query.fetch_one(&self.readers).await.map_err(|error| self.read_error(error))?;
        let ahead: i64 = row.try_get("ahead").map_err(store_error)?;
        Ok(u64::try_from(ahead).unwrap_or_default())
    }

    async fn woken(&self) {
        self.waker.notified().await;
    }
}

fn queue_use(row: &SqliteRow) -> sqlx::Result<QueueUse> {
    let (waiting, waited): (i64, Option<i64>) = (row.try_get("waiting")?, row.try_get("waited_us")?);
    Ok(QueueUse {
        queue: row.try_get("queue")?,
        waiting: u64::try_from(waiting).unwrap_or_default(),
        oldest_wait: waited.map(|waited| Duration::from_micros(u64::try_from(waited).unwrap_or_default())),
    })
}
