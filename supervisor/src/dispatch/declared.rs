//! What code declares of limits and queues, as a workflow's row would say it.

use std::collections::BTreeMap;

use muster_core::execution::check;
use muster_core::limit::{ConcurrencyTerms, OnFull};
use muster_protocol::DeclaredConcurrency;
use muster_store::WorkflowTerms;

use crate::descriptions::DescribedWorkflow;

/// What the code of each workflow says; nothing for one that says nothing.
pub(crate) type DeclaredTerms = BTreeMap<String, WorkflowTerms>;

/// What it says of limits and queues. A name that is none is passed over: the worker's Describe was told.
pub(crate) fn declared_terms(workflow: &DescribedWorkflow) -> WorkflowTerms {
    let declared = &workflow.declared;
    let limits: Vec<String> =
        declared.limits.iter().filter(|name| check::limit_name(name).is_ok()).cloned().collect();
    WorkflowTerms {
        concurrency: Some(concurrency(&declared.concurrency)).filter(ConcurrencyTerms::says_something),
        limits: Some(limits).filter(|limits| !limits.is_empty()),
        queue: Some(declared.queue.clone()).filter(|queue| check::queue_name(queue).is_ok()),
    }
}

fn concurrency(declared: &DeclaredConcurrency) -> ConcurrencyTerms {
    let DeclaredConcurrency { total, per_key, key, on_full } = declared;
    ConcurrencyTerms {
        total: *total,
        per_key: *per_key,
        key: key.parse().unwrap_or_default(),
        on_full: OnFull::of_word(on_full).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::WorkflowDescription;

    use super::*;

    #[test]
    fn what_code_declares_is_what_a_row_would_say() {
        let described = |concurrency: DeclaredConcurrency, limits: &[&str], queue: &str| {
            let declared = WorkflowDescription {
                name: "report".to_owned(),
                concurrency,
                limits: limits.iter().map(|name| (*name).to_owned()).collect(),
                queue: queue.to_owned(),
                ..WorkflowDescription::default()
            };
            declared_terms(&DescribedWorkflow {
                declared,
                schema: None,
                described_at: std::time::SystemTime::UNIX_EPOCH,
            })
        };
        let per_key = DeclaredConcurrency {
            per_key: Some(1),
            key: "parameters.customer".to_owned(),
            ..DeclaredConcurrency::default()
        };
        let terms = described(per_key, &["crm", "no name"], "slow");
        let concurrency = terms.concurrency.unwrap();
        assert_eq!((concurrency.total, concurrency.per_key), (None, Some(1)));
        assert_eq!(concurrency.key.to_string(), "parameters.customer");
        assert_eq!(terms.limits.unwrap(), ["crm"]);
        assert_eq!(terms.queue.as_deref(), Some("slow"));
        assert!(described(DeclaredConcurrency::default(), &[], "").is_empty());
        assert!(described(DeclaredConcurrency::default(), &["a b"], "a b").is_empty());
    }
}
