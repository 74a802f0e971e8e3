//! Pauses, as they are set and shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is paused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Pauses)]
pub struct PausesView {
    /// Everything, queues, workflows, organizations, in this order.
    pub pauses: Vec<PauseView>,
}

/// One thing that is paused: nothing of it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Pause)]
pub struct PauseView {
    /// What is paused: `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`.
    pub target: String,
    /// Who asked for it, as far as they said, and from where.
    pub who: String,
    /// The reason, in their words.
    pub why: Option<String>,
    /// The moment from which on nothing of it was started.
    pub since: Timestamp,
}

/// Why something is paused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PauseRequest)]
pub struct PauseRequest {
    /// The reason, for whoever wonders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 500)]
    pub why: Option<String>,
}

/// What became of a pause that somebody ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Resumed)]
pub struct ResumedView {
    /// What may start again.
    pub target: String,
    /// False when it was not paused.
    pub was_paused: bool,
}

impl PauseView {
    /// The same for people.
    pub fn sentence(&self) -> String {
        let Self { target, who, why, since } = self;
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        let why = why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{target} is paused by {who} since {since}{why}")
    }
}
