//! What code declares of limits, as limits: a workflow's own has its name after a slash.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use muster_core::execution::check;
use muster_protocol::DeclaredConcurrency;
use muster_store::{LimitTerms, OnFull};

use super::described::DescribedWorkflow;

/// The limits that code declares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeclaredWorkflowLimits {
    /// The names for each workflow that has some.
    pub by_workflow: HashMap<String, Vec<String>>,
    /// What the workflows' own say.
    pub own: BTreeMap<String, LimitTerms>,
}

impl DeclaredWorkflowLimits {
    /// Of all that is described. A name that is none is passed over: the worker's Describe was told.
    pub fn of(described: &[Arc<DescribedWorkflow>]) -> Self {
        let mut limits = Self::default();
        for workflow in described {
            let declared = &workflow.declared;
            let mut names: Vec<String> =
                declared.limits.iter().filter(|name| check::limit_name(name).is_ok()).cloned().collect();
            if let Some(terms) = own_terms(&declared.concurrency) {
                let name = own_name(&declared.name);
                names.push(name.clone());
                limits.own.insert(name, terms);
            }
            if !names.is_empty() {
                limits.by_workflow.insert(declared.name.clone(), names);
            }
        }
        limits
    }
}

fn own_terms(declared: &DeclaredConcurrency) -> Option<LimitTerms> {
    let DeclaredConcurrency { total, per_key, key, on_full } = declared;
    if total.is_none() && per_key.is_none() {
        return None;
    }
    Some(LimitTerms {
        total: *total,
        per_key: *per_key,
        key: key.parse().unwrap_or_default(),
        on_full: OnFull::of_word(on_full).unwrap_or_default(),
        ..LimitTerms::default()
    })
}

/// What stands apart in names of limits is written otherwise.
fn own_name(workflow: &str) -> String {
    let mut name = "workflow/".to_owned();
    for char in workflow.chars() {
        match char {
            ':' | '%' => name.push_str(&format!("%{:02X}", u32::from(char))),
            char if char.is_whitespace() => name.push_str(&format!("%{:02X}", u32::from(char))),
            char => name.push(char),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use muster_protocol::WorkflowDescription;

    use super::*;

    #[test]
    fn what_code_declares_becomes_limits() {
        let concurrency = DeclaredConcurrency { total: Some(3), ..DeclaredConcurrency::default() };
        let per_key = DeclaredConcurrency {
            per_key: Some(1),
            key: "parameters.customer".to_owned(),
            ..DeclaredConcurrency::default()
        };
        let described = |name: &str, concurrency: &DeclaredConcurrency, limits: &[&str]| {
            let declared = WorkflowDescription {
                name: name.to_owned(),
                concurrency: concurrency.clone(),
                limits: limits.iter().map(|name| (*name).to_owned()).collect(),
                ..WorkflowDescription::default()
            };
            Arc::new(DescribedWorkflow { declared, schema: None })
        };
        let none = DeclaredConcurrency::default();
        let limits = DeclaredWorkflowLimits::of(&[
            described("report", &concurrency, &["crm", "no name"]),
            described("sync all:now", &per_key, &[]),
            described("free", &none, &[]),
        ]);
        assert_eq!(limits.by_workflow["report"], ["crm", "workflow/report"]);
        assert_eq!(limits.by_workflow["sync all:now"], ["workflow/sync%20all%3Anow"]);
        assert!(!limits.by_workflow.contains_key("free"));
        assert_eq!(limits.own["workflow/report"].total, Some(3));
        assert_eq!(limits.own["workflow/sync%20all%3Anow"].key.to_string(), "parameters.customer");
    }
}
