//! What is said of a workflow's admission: by its row, or by its code.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LimitKey, LimitTerms, OnFull};

/// What one says of a workflow's admission. What is left out is for whoever comes next to say: the request, the workflow's
/// row, its code, the settings, in this order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkflowTerms {
    /// How many of its executions may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyTerms>,
    /// The names of limits that it shares with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Vec<String>>,
    /// The queue that it waits in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

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

impl WorkflowTerms {
    /// What is not said here is taken from `other`.
    #[must_use]
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            concurrency: self.concurrency.clone().or_else(|| other.concurrency.clone()),
            limits: self.limits.clone().or_else(|| other.limits.clone()),
            queue: self.queue.clone().or_else(|| other.queue.clone()),
        }
    }

    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The name of a workflow's own limit: with a slash in it, as no name that somebody gives has one. What stands apart in
/// names of limits is written otherwise. `organization` is whose the workflow is, by its key.
pub fn own_limit_name(workflow: &str, organization: Option<&str>) -> String {
    let mut name = "workflow".to_owned();
    if let Some(organization) = organization {
        name.push('@');
        name.push_str(organization);
    }
    name.push('/');
    for char in workflow.chars() {
        match char {
            apart if matches!(apart, ':' | '%') || apart.is_whitespace() => {
                name.push_str(&format!("%{:02X}", u32::from(apart)));
            }
            char => name.push(char),
        }
    }
    name
}
