//! What the latest executions came to.

use async_trait::async_trait;
use jiff::Timestamp;

use super::read::{all, count};
use super::session::record;
use super::{SqliteStore, statements};
use crate::Result;
use crate::statistics::{OF_EACH_END, StatisticsStore, WorkflowStatistics};

#[async_trait]
impl StatisticsStore for SqliteStore {
    async fn statistics(&self, since: Timestamp, workflow: Option<&str>) -> Result<Vec<WorkflowStatistics>> {
        let sql = match workflow {
            Some(_) => statements::STATISTICS_OF_WORKFLOW,
            None => statements::STATISTICS,
        };
        let mut query = sqlx::query(sql).bind(since.as_microsecond()).bind(count(OF_EACH_END));
        if let Some(workflow) = workflow {
            query = query.bind(workflow);
        }
        all(self, query, record::statistics).await
    }
}
