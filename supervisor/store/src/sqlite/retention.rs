//! Forgetting what ended long ago, and giving its space back.

use uuid::Uuid;

use super::error::store_error;
use super::read::count;
use super::rows::write_query;
use super::session::{SqliteSession, array, written};
use super::statements;
use super::writer::WriteConnection;
use crate::retention::{EndedExecution, PruneRange, PruneScope, PrunedRows, RetentionSession};
use crate::{Cursor, Result};

/// Gives so many free pages back to the disk after each step: more than a step frees, little enough for nobody to notice.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(1000)";

/// See [`crate::session::Backend::give_space_back`].
pub(super) async fn give_space_back(writer: &WriteConnection) -> Result<()> {
    let giving_back = writer.begin().await?;
    giving_back.rows(write_query(GIVE_BACK))?;
    giving_back.commit()
}

impl RetentionSession for SqliteSession {
    /// A transaction has all of the file.
    async fn take_turn_to_prune(&mut self) -> Result<bool> {
        Ok(true)
    }

    async fn ended(
        &mut self,
        range: &PruneRange,
        behind: Cursor,
        limit: usize,
    ) -> Result<Vec<EndedExecution>> {
        let mut query = write_query(statements::ended(&range.scope))
            .bind(range.status.as_str())
            .bind(range.before.as_microsecond())
            .bind(behind.created_at.as_microsecond())
            .bind(behind.id.to_string())
            .bind(count(limit));
        if let PruneScope::Workflow(name) = &range.scope {
            query = query.bind(name);
        }
        let rows = self.rows(query).await?;
        rows.iter().map(written::ended).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn forget(&mut self, ids: &[Uuid]) -> Result<PrunedRows> {
        let gone = self.rows(write_query(statements::FORGET).bind(array(ids)?)).await?;
        let gone = gone.iter().map(|row| written::required_id(row, "id")).collect::<sqlx::Result<Vec<_>>>();
        let gone = gone.map_err(store_error)?;
        let ids = array(&gone)?;
        let mut remove =
            async |sql| -> Result<u64> { Ok(self.rows(write_query(sql).bind(&ids)).await?.len() as u64) };
        let (logs, events) = (remove(statements::PRUNE_LOGS).await?, remove(statements::PRUNE_EVENTS).await?);
        remove(statements::PRUNE_DELIVERIES).await?;
        Ok(PrunedRows { executions: gone.len() as u64, logs, events })
    }

    async fn count_with(&mut self, ids: &[Uuid]) -> Result<PrunedRows> {
        let rows = self.rows(write_query(statements::COUNT_WITH).bind(array(ids)?)).await?;
        let counted = rows.first().map(written::pruned).transpose().map_err(store_error)?;
        Ok(counted.unwrap_or_default())
    }
}
