//! Limits, as they are set and shown.

use muster_store::LimitTerms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitsView {
    /// By name: those that are set, and those that executions name and nobody has set.
    pub limits: Vec<LimitView>,
}

/// One limit, and how full it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Limit)]
pub struct LimitView {
    /// The name by which executions ask for it.
    pub name: String,
    /// What it allows; `null` when nobody has set it, and it holds nothing back.
    pub terms: Option<LimitTerms>,
    /// How many run in it.
    pub running: u64,
    /// How many wait for room in it; a hundred thousand may be more.
    pub waiting: u64,
}

/// What became of a limit that somebody removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LimitRemoved)]
pub struct LimitRemovedView {
    /// The name of the limit.
    pub name: String,
}
