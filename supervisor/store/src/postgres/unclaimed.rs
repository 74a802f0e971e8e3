//! Single statements about rows that nobody holds.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::store_error;
use super::transaction::{STATEMENT_TIMEOUT, within};
use super::{PostgresStore, statements};
use crate::{QueueDepth, Result, StoreError, flow};

pub(super) async fn depth(store: &PostgresStore) -> Result<QueueDepth> {
    let query = sqlx::query(statements::QUEUE_DEPTH);
    let row = within(STATEMENT_TIMEOUT, query.fetch_one(&store.shared.reads)).await?;
    let pending: i64 = row.try_get("pending").map_err(store_error)?;
    let waited = duration(&row, "waited_us").map_err(store_error)?;
    Ok(QueueDepth {
        pending: u64::try_from(pending).unwrap_or_default(),
        // Rows that are not due yet have not waited.
        oldest_wait: waited.filter(|waited| !waited.is_zero()),
    })
}

pub(super) async fn next_due(store: &PostgresStore) -> Result<Option<Duration>> {
    let query = sqlx::query(statements::NEXT_DUE);
    let row = within(STATEMENT_TIMEOUT, query.fetch_one(&store.shared.reads)).await?;
    duration(&row, "wait_us").map_err(store_error)
}

/// A number of microseconds; less than none is none.
fn duration(row: &PgRow, column: &str) -> sqlx::Result<Option<Duration>> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
}

/// A crash may take the mark, and the end is published once more. So it does not wait for the disk. Where somebody has
/// locked some of the rows the others are marked, and it is an error.
pub(super) async fn mark_notified(store: &PostgresStore, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    match mark(store, ids).await {
        Err(error @ StoreError::Locked { .. }) => {
            let locked = flow::locked_rows(store, ids).await?;
            let free: Vec<Uuid> = ids.iter().copied().filter(|id| !locked.contains(id)).collect();
            if !locked.is_empty() && !free.is_empty() {
                mark(store, &free).await?;
            }
            Err(error)
        }
        marked => marked,
    }
}

async fn mark(store: &PostgresStore, ids: &[Uuid]) -> Result<()> {
    let marks = &store.shared.marks;
    let mut lent = within(STATEMENT_TIMEOUT, marks.borrow()).await?;
    let query = sqlx::query(statements::MARK_NOTIFIED).bind(ids);
    within(STATEMENT_TIMEOUT, query.execute(&mut lent.connection)).await?;
    marks.give_back(lent);
    Ok(())
}
