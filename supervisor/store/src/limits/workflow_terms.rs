//! What is said of a workflow's admission: by its row, or by its code.

use muster_core::limit::ConcurrencyTerms;
use serde::{Deserialize, Serialize};

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
