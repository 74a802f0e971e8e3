//! Forgetting what ended long ago, and giving its space back.

use super::error::store_error;
use super::read::{count, one};
use super::rows::write_query;
use super::session::{array, record, written};
use super::writer::WriteTransaction;
use super::{SqliteStore, statements};
use crate::Result;
use crate::retention::{PruneRange, PrunedRows, RetentionStore};
use async_trait::async_trait;

/// Gives so many free pages back to the disk after each step: more than a step frees, little enough for nobody to notice.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(1000)";

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn prune(&self, range: PruneRange, limit: usize) -> Result<PrunedRows> {
        let pruned = prune_in(self.writer.begin().await?, range, limit)?;
        if pruned.executions > 0 {
            let giving_back = self.writer.begin().await?;
            giving_back.rows(write_query(GIVE_BACK))?;
            giving_back.commit()?;
        }
        Ok(pruned)
    }

    async fn prunable(&self, range: PruneRange) -> Result<PrunedRows> {
        let query =
            sqlx::query(statements::PRUNABLE).bind(range.status.as_str()).bind(range.before.as_microsecond());
        Ok(one(self, query, record::pruned).await?.unwrap_or_default())
    }
}

fn prune_in(transaction: WriteTransaction, range: PruneRange, limit: usize) -> Result<PrunedRows> {
    let prune = write_query(statements::PRUNE)
        .bind(range.status.as_str())
        .bind(range.before.as_microsecond())
        .bind(count(limit));
    let gone = transaction.rows(prune)?;
    let ids = gone.iter().map(|row| written::required_id(row, "id")).collect::<sqlx::Result<Vec<_>>>();
    let ids = array(&ids.map_err(store_error)?)?;
    if gone.is_empty() {
        return Ok(PrunedRows::default());
    }
    let remove = |sql| -> Result<u64> { Ok(transaction.rows(write_query(sql).bind(&ids))?.len() as u64) };
    let (logs, events) = (remove(statements::PRUNE_LOGS)?, remove(statements::PRUNE_EVENTS)?);
    remove(statements::PRUNE_DELIVERIES)?;
    transaction.commit()?;
    Ok(PrunedRows { executions: gone.len() as u64, logs, events })
}
