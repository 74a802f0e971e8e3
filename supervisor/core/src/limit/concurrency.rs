//! How many executions of a workflow may run at once, as its row and its code say it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LimitKey, LimitTerms, OnFull};

/// How many executions of a workflow may run at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Concurrency)]
pub struct ConcurrencyTerms {
    /// How many in the whole fleet; left out, as many as want to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub total: Option<u32>,
    /// How many for one key; left out, as many as want to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub per_key: Option<u32>,
    /// What it counts by: `organization`, `workflow`, `caller`, or `parameters.` and a path; left out, `organization`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(value_type = String, default = "organization")]
    pub key: LimitKey,
    /// What happens to an execution that comes when it is full; left out, `wait`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schema(value_type = OnFull, default = "wait")]
    pub on_full: OnFull,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ConcurrencyTerms {
    /// The same as a limit says it.
    pub fn terms(&self) -> LimitTerms {
        let Self { total, per_key, key, on_full } = self.clone();
        LimitTerms { total, per_key, key, on_full, ..LimitTerms::default() }
    }

    /// True when it says how many.
    pub fn says_something(&self) -> bool {
        self.total.is_some() || self.per_key.is_some()
    }
}
