//! What the latest executions of each workflow came to, for whoever looks after them. The work is bounded: so many of each
//! end are looked at, and the answer says how far back that is.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Result;

/// So many of each end are looked at.
pub(crate) const OF_EACH_END: usize = 10_000;

/// What the latest executions of a workflow came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowStatistics {
    /// The name of the workflow; null of those that name their code.
    #[serde(rename = "workflow")]
    pub workflow_name: Option<String>,
    /// The oldest that was looked at, if there were more than are looked at.
    #[serde(skip)]
    pub oldest: Option<Timestamp>,
    /// How many ended.
    pub ended: u64,
    /// How many of these succeeded.
    pub succeeded: u64,
    /// How many of these failed or ran out of time.
    pub failed: u64,
    /// How many of these were cancelled.
    pub cancelled: u64,
    /// So long ran half of them at most.
    pub duration_p50_ms: Option<u64>,
    /// So long ran 95 of 100 of them at most.
    pub duration_p95_ms: Option<u64>,
    /// The end of the last one that failed or ran out of time.
    pub last_failed_at: Option<Timestamp>,
}

/// Counts what the latest executions came to.
#[async_trait]
pub trait StatisticsStore: Debug + Send + Sync + 'static {
    /// What the executions came to that were created since then and are over: of this workflow, or of each; of this
    /// organization, or of all.
    async fn statistics(
        &self,
        since: Timestamp,
        workflow: Option<&str>,
        organization_id: Option<Uuid>,
    ) -> Result<Vec<WorkflowStatistics>>;
}
