//! Forgetting what ended long ago.

use sqlx::Row as _;
use uuid::Uuid;

use super::error::store_error;
use super::read::count;
use super::session::record;
use super::statements;
use super::transaction::PgSession;
use crate::columns::TimeColumn;
use crate::retention::{EndedExecution, PruneRange, PruneScope, PrunedRows, RetentionSession};
use crate::{Cursor, Result};

/// The key of the advisory lock that supervisors take in turn for it.
const PRUNE_LOCK: i64 = 0x6d75_7374_6572_0002;

impl RetentionSession for PgSession {
    async fn take_turn_to_prune(&mut self) -> Result<bool> {
        let rows = self.rows(sqlx::query(statements::TAKE_TURN).bind(PRUNE_LOCK)).await?;
        let is_ours = rows.first().map(|row| row.try_get("is_ours")).transpose().map_err(store_error)?;
        Ok(is_ours.unwrap_or_default())
    }

    async fn ended(
        &mut self,
        range: &PruneRange,
        behind: Cursor,
        limit: usize,
    ) -> Result<Vec<EndedExecution>> {
        let mut query = sqlx::query(statements::ended(&range.scope))
            .bind(range.status.as_str())
            .bind(TimeColumn(range.before))
            .bind(TimeColumn(behind.created_at))
            .bind(behind.id)
            .bind(count(limit));
        if let PruneScope::Workflow(name) = &range.scope {
            query = query.bind(name);
        }
        let rows = self.rows(query).await?;
        rows.iter().map(record::ended).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn forget(&mut self, ids: &[Uuid]) -> Result<PrunedRows> {
        let rows = self.rows(sqlx::query(statements::FORGET).bind(ids)).await?;
        let gone = rows.first().map(record::pruned).transpose().map_err(store_error)?;
        Ok(gone.unwrap_or_default())
    }

    async fn count_with(&mut self, ids: &[Uuid]) -> Result<PrunedRows> {
        let rows = self.rows(sqlx::query(statements::COUNT_WITH).bind(ids)).await?;
        let counted = rows.first().map(record::pruned).transpose().map_err(store_error)?;
        Ok(counted.unwrap_or_default())
    }
}
