//! What waits, and when it is due.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::store_error;
use super::transaction::PostgresQuery;
use super::{PLANS_MAX, PostgresStore, read, statements};
use crate::flow::again;
use crate::pauses::{PAUSES, REASONS_MAX};
use crate::{QueueDepth, QueueUse, Result, ServedQueues, WaitingStore};

#[async_trait]
impl WaitingStore for PostgresStore {
    async fn queue_depth(&self) -> Result<QueueDepth> {
        let row = again(PLANS_MAX, || ask(self, sqlx::query(statements::QUEUE_DEPTH))).await?;
        let pending: i64 = row.try_get("pending").map_err(store_error)?;
        let waited = duration(&row, "waited_us").map_err(store_error)?;
        Ok(QueueDepth {
            pending: u64::try_from(pending).unwrap_or_default(),
            // Rows that are not due yet have not waited.
            oldest_wait: waited.filter(|waited| !waited.is_zero()),
        })
    }

    async fn queue_uses(&self) -> Result<Vec<QueueUse>> {
        let rows = again(PLANS_MAX, || read::ask(self, sqlx::query(statements::QUEUE_USES))).await?;
        rows.iter().map(queue_use).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn next_due(&self, queues: &ServedQueues) -> Result<Option<Duration>> {
        let pauses = self.pauses.now().unwrap_or_default();
        let Some(queues) = pauses.open_queues(queues) else { return Ok(None) };
        let query = || sqlx::query(statements::NEXT_DUE).bind(queues.in_statements());
        let row = again(PLANS_MAX, || ask(self, query())).await?;
        duration(&row, "wait_us").map_err(store_error)
    }

    async fn ahead(&self, id: Uuid) -> Result<u64> {
        let between = || sqlx::query(statements::WAITED_FOR_BETWEEN).bind(PAUSES.0).bind(PAUSES.1);
        let paused = || between().bind(read::count(REASONS_MAX));
        let waited_for = read::all(self, paused, |row| row.try_get("waits_for")).await?;
        let resumed = self.pauses.resumed(waited_for);
        let query = || sqlx::query(statements::AHEAD).bind(id).bind(&resumed);
        let row = again(PLANS_MAX, || ask(self, query())).await?;
        let ahead: i64 = row.try_get("ahead").map_err(store_error)?;
        Ok(u64::try_from(ahead).unwrap_or_default())
    }

    async fn woken(&self) {
        self.listen();
        self.shared.wakers.pending.notified().await;
    }
}

async fn ask(store: &PostgresStore, query: PostgresQuery<'_>) -> Result<PgRow> {
    let mut rows = read::ask(store, query).await?;
    rows.pop().ok_or_else(|| store_error(sqlx::Error::RowNotFound))
}

fn queue_use(row: &PgRow) -> sqlx::Result<QueueUse> {
    let waiting: i64 = row.try_get("waiting")?;
    Ok(QueueUse {
        queue: row.try_get("queue")?,
        waiting: u64::try_from(waiting).unwrap_or_default(),
        oldest_wait: duration(row, "waited_us")?,
    })
}

/// A number of microseconds; less than none is none.
pub(super) fn duration(row: &PgRow, column: &str) -> sqlx::Result<Option<Duration>> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
}
