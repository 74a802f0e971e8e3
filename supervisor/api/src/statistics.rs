//! What the latest executions came to, as it is shown.

use jiff::Timestamp;
use muster_core::statistics::WorkflowStatistics;
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
    pub workflows: Vec<WorkflowStatistics>,
}

impl StatisticsView {
    /// The view of what was counted of executions created since then.
    pub fn of(since: Timestamp, workflows: Vec<WorkflowStatistics>) -> Self {
        let cut = workflows.iter().find_map(|one| one.oldest);
        Self { since: cut.unwrap_or(since), workflows }
    }
}
