//! Forgetting executions, as it is asked for and answered.

use jiff::Timestamp;
use muster_core::execution::Status;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which executions are to be forgotten.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Prune)]
pub struct PruneWish {
    /// Those that ended so long ago; this or `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub older_than_seconds: Option<f64>,
    /// Those that ended before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub before: Option<Timestamp>,
    /// Those that came to one of these; left out, to anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub statuses: Vec<Status>,
    /// Where the answer before ended: its `next_cursor`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cursor: Option<String>,
    /// Only tell what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was forgotten, or would be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Pruned)]
pub struct PrunedView {
    /// The moment before which the executions ended.
    pub before: Timestamp,
    /// Executions.
    pub executions: u64,
    /// Lines of their logs.
    pub logs: u64,
    /// Their events.
    pub events: u64,
    /// False: there are more; ask again with `before` and `next_cursor`.
    pub is_done: bool,
    /// Where the next request goes on; left out at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}
