//! What the latest executions of each workflow came to, for whoever looks after them. The work is bounded: so many of each
//! end are looked at, and the answer says how far back that is.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::statistics::WorkflowStatistics;
use uuid::Uuid;

use crate::Result;

/// So many of each end are looked at.
pub(crate) const OF_EACH_END: usize = 10_000;

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
