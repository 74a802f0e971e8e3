//! What the latest executions came to.

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::statistics::WorkflowStatistics;
use uuid::Uuid;

use super::read::{all, count};
use super::session::record;
use super::{SqliteStore, statements};
use crate::Result;
use crate::statistics::{OF_EACH_END, StatisticsStore};

#[async_trait]
impl StatisticsStore for SqliteStore {
    async fn statistics(
        &self,
        since: Timestamp,
        workflow: Option<&str>,
        organization_id: Option<Uuid>,
    ) -> Result<Vec<WorkflowStatistics>> {
        let sql = match (organization_id, workflow) {
            (None, None) => statements::STATISTICS,
            (None, Some(_)) => statements::STATISTICS_OF_WORKFLOW,
            (Some(_), None) => statements::STATISTICS_OF_ORGANIZATION,
            (Some(_), Some(_)) => statements::STATISTICS_OF_ORGANIZATION_WORKFLOW,
        };
        let mut query = sqlx::query(sql).bind(since.as_microsecond()).bind(count(OF_EACH_END));
        if let Some(id) = organization_id {
            query = query.bind(id.to_string());
        }
        if let Some(workflow) = workflow {
            query = query.bind(workflow);
        }
        all(self, query, record::statistics).await
    }
}
