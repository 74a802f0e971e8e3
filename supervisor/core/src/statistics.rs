//! What the latest executions of a workflow came to, in numbers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
