//! What the latest executions came to.

use async_trait::async_trait;
use jiff::Timestamp;

use super::read::{all, count};
use super::session::record;
use super::{PostgresStore, statements};
use crate::Result;
use crate::columns::TimeColumn;
use crate::statistics::{OF_EACH_END, StatisticsStore, WorkflowStatistics};

#[async_trait]
impl StatisticsStore for PostgresStore {
    async fn statistics(&self, since: Timestamp, workflow: Option<&str>) -> Result<Vec<WorkflowStatistics>> {
        let query = || {
            let sql = match workflow {
                Some(_) => statements::STATISTICS_OF_WORKFLOW,
                None => statements::STATISTICS,
            };
            let query = sqlx::query(sql).bind(TimeColumn(since)).bind(count(OF_EACH_END));
            match workflow {
                Some(workflow) => query.bind(workflow),
                None => query,
            }
        };
        all(self, query, record::statistics).await
    }
}
