//! Limits, and what workflows say of them.

use muster_core::execution::RetryOptions;
use muster_store::Definitions;

use super::super::DefinitionEdit;
use super::{FILE, applied, problems, workflow};
use crate::api::WorkflowDefinition;

#[test]
fn limits_are_named_by_those_who_need_them() {
    let rows = applied(Definitions::default(), FILE, false);
    let set = |change: fn(&mut WorkflowDefinition)| {
        let mut wanted = WorkflowDefinition::named("w");
        change(&mut wanted);
        workflow(wanted)
    };
    let told = problems(&rows, set(|w| w.limits = Some(vec!["crm-cals".into()])));
    assert!(
        told.contains("workflows.w.limits: there is no limit \"crm-cals\"; did you mean crm-calls?"),
        "{told}"
    );
    let told = problems(&rows, set(|w| w.limits = Some(vec!["crm-calls".into(); 5])));
    assert!(told.contains("at most 4"), "{told}");
    let told = problems(&rows, set(|w| w.concurrency = Some(Default::default())));
    assert!(told.contains("workflows.w.concurrency: total, per_key: both missing"), "{told}");
    let told = problems(&rows, set(|w| w.queue = Some("two words".into())));
    assert!(told.contains("workflows.w.queue: must be the name of a queue"), "{told}");
    let told = problems(
        &rows,
        set(|w| {
            w.max_attempts = Some(2);
            w.retry = Some(RetryOptions { max_attempts: Some(3), ..RetryOptions::default() });
        }),
    );
    assert!(told.contains("max_attempts is 3 here and 2 beside it"), "{told}");
    let remove = |name: &str| DefinitionEdit::RemoveLimit { name: name.into() };
    assert!(problems(&rows, remove("crm-calls")).contains("is named by the workflow billing/invoice"));
    assert!(problems(&rows, remove("crm-cals")).contains("there is no such limit; did you mean crm-calls?"));
    let own = crate::api::LimitDefinition { name: "workflow/w".into(), total: Some(1), ..Default::default() };
    assert!(
        problems(&rows, DefinitionEdit::SetLimit(own)).contains("set that of a workflow with the workflow")
    );
    let nothing = crate::api::LimitDefinition { name: "crm".into(), ..Default::default() };
    assert!(problems(&rows, DefinitionEdit::SetLimit(nothing)).contains("limits.crm: total, per_key, rate"));
}
