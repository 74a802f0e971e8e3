//! What the latest executions came to, as it is shown.

use jiff::Timestamp;
use muster_store::WorkflowStatistics;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the latest executions came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Statistics)]
pub struct StatisticsView {
    /// The moment from which on what was created is counted. It is later than what was asked for where there are more
    /// executions than are counted: of each end the newest 10,000.
    pub since: Timestamp,
    /// The workflows, those with the most executions first.
    #[schema(inline)]
    pub workflows: Vec<WorkflowStatisticsView>,
}

/// What the latest executions of a workflow came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = WorkflowStatistics)]
pub struct WorkflowStatisticsView {
    /// The name of the workflow; null of those that name their code.
    pub workflow: Option<String>,
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

impl StatisticsView {
    /// The view of what was counted of executions created since then.
    pub fn of(since: Timestamp, counted: Vec<WorkflowStatistics>) -> Self {
        let cut = counted.iter().find_map(|one| one.oldest);
        let workflows = counted.into_iter().map(WorkflowStatisticsView::of).collect();
        Self { since: cut.unwrap_or(since), workflows }
    }
}

impl WorkflowStatisticsView {
    fn of(counted: WorkflowStatistics) -> Self {
        let WorkflowStatistics {
            workflow_name,
            oldest: _,
            ended,
            succeeded,
            failed,
            cancelled,
            duration_p50_ms,
            duration_p95_ms,
            last_failed_at,
        } = counted;
        Self {
            workflow: workflow_name,
            ended,
            succeeded,
            failed,
            cancelled,
            duration_p50_ms,
            duration_p95_ms,
            last_failed_at,
        }
    }
}
