//! Limits, as they are set and shown.

use muster_core::limit::{LimitKey, LimitRate, LimitTerms, OnFull};
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

/// What a limit is to allow, as files have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitDefinition {
    /// The name by which executions ask for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How many may run at once in the whole fleet; left out, as many as want to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub total: Option<u32>,
    /// How many may run at once for one key; left out, as many as want to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub per_key: Option<u32>,
    /// How many may start in a period for one key, as in `100/60s`; left out, as many as want to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub rate: Option<LimitRate>,
    /// How many of these may start early together; left out, 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, nullable = false)]
    pub burst: Option<u32>,
    /// What it counts by: `organization`, `workflow`, `caller`, or `parameters.` and a path; left out, `organization`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(value_type = String, default = "organization")]
    pub key: LimitKey,
    /// What happens to an execution that comes when it is full; left out, it waits.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(value_type = OnFull, default = "wait")]
    pub on_full: OnFull,
}

impl LimitDefinition {
    /// The limit of this name that says so.
    pub fn of(name: &str, terms: &LimitTerms) -> Self {
        let LimitTerms { total, per_key, rate, burst, key, on_full } = terms.clone();
        Self { name: name.to_owned(), total, per_key, rate, burst, key, on_full }
    }

    /// What it says.
    pub fn terms(&self) -> LimitTerms {
        let Self { name: _, total, per_key, rate, burst, key, on_full } = self.clone();
        LimitTerms { total, per_key, rate, burst, key, on_full }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
