//! What the latest executions came to.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::statistics::WorkflowStatistics;
use uuid::Uuid;

use super::read::{all, count};
use super::session::record;
use super::{PostgresStore, statements};
use crate::Result;
use crate::columns::TimeColumn;
use crate::statistics::{OF_EACH_END, StatisticsStore};

#[async_trait]
impl StatisticsStore for PostgresStore {
    async fn statistics(
        &self,
        since: Timestamp,
        workflow: Option<&str>,
        organization_id: Option<Uuid>,
    ) -> Result<Vec<WorkflowStatistics>> {
        let query = || {
            let query = |sql| sqlx::query(sql).bind(TimeColumn(since)).bind(count(OF_EACH_END));
            match (organization_id, workflow) {
                (None, None) => query(statements::STATISTICS),
                (None, Some(workflow)) => query(statements::STATISTICS_OF_WORKFLOW).bind(workflow),
                (Some(id), None) => query(statements::STATISTICS_OF_ORGANIZATION).bind(id),
                (Some(id), Some(workflow)) => {
                    query(statements::STATISTICS_OF_ORGANIZATION_WORKFLOW).bind(id).bind(workflow)
                }
            }
        };
        all(self, query, record::statistics).await
    }
}
