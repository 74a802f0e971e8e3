//! Forgetting what ended long ago, and giving its space back.

use async_trait::async_trait;
use uuid::Uuid;

use super::error::store_error;
use super::read::count;
use super::rows::write_query;
use super::session::{SqliteSession, array, written};
use super::{SqliteStore, statements};
use crate::flow::{PruneDeed, prune_step};
use crate::retention::{
    EndedExecution, PruneRange, PruneRule, PruneScope, PruneStep, PrunedRows, RetentionSession,
    RetentionStore,
};
use crate::{Cursor, Result};

/// Gives so many free pages back to the disk after each step: more than a step frees, little enough for nobody to notice.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(1000)";

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn prune(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep> {
        let step = prune_step(self, range, behind, limit, (PruneDeed::Remove, rule)).await?;
        if matches!(step, PruneStep::Looked { rows, .. } if rows.executions > 0) {
            let giving_back = self.writer.begin().await?;
            giving_back.rows(write_query(GIVE_BACK))?;
            giving_back.commit()?;
        }
        Ok(step)
    }

    async fn prunable(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep> {
        prune_step(self, range, behind, limit, (PruneDeed::Count, rule)).await
    }
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
        let statement = match &range.scope {
            PruneScope::Everything => statements::ENDED,
            PruneScope::Workflow(_) => statements::ENDED_OF_WORKFLOW,
            PruneScope::Nameless => statements::ENDED_NAMELESS,
        };
        let mut query = write_query(statement)
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
