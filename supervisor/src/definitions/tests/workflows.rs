//! Workflows: what is so already, what is wrong, which row is meant.

use muster_core::execution::RetryOptions;
use muster_store::{Definitions, RetentionTerms, WorkflowRecord, WorkflowTerms};
use uuid::Uuid;

use super::super::{DefinitionEdit, ProblemKind, plan};
use super::{FILE, applied, organization, problems, variable, with_acme, workflow, written};
use crate::api::WorkflowDefinition;

#[test]
fn what_is_so_already_is_not_written() {
    let edits = [
        DefinitionEdit::SetOrganization(organization("acme")),
        workflow(WorkflowDefinition {
            organization: Some("acme".into()),
            path: Some("billing/invoice.py".into()),
            timeout_seconds: Some(60.0),
            ..WorkflowDefinition::named("billing/invoice")
        }),
        variable("limits", None, r#"{"a": 1, "b": [2.50]}"#),
    ];
    let first = written(Definitions::default(), &edits);
    assert_eq!((first.organizations.len(), first.workflows.len(), first.config.len()), (1, 1, 1));
    assert_eq!(first.workflows[0].organization_id, Some(first.organizations[0].id));
    assert!(plan(&first, &edits).unwrap().is_empty());
    // A database may spell JSON in its own way.
    assert!(plan(&first, &[variable("limits", None, r#"{"b":[2.5],"a":1}"#)]).unwrap().is_empty());
    assert_eq!(plan(&first, &[variable("limits", None, r#"{"b":[2.5],"a":1.0}"#)]).unwrap().len(), 1);
    // The same file makes the same ids everywhere.
    assert_eq!(first.workflows[0].id, written(Definitions::default(), &edits).workflows[0].id);
}

#[test]
fn a_wrong_word_is_refused_with_the_nearest_right_one() {
    let told = problems(&with_acme(), variable("url", Some("acmee"), "1"));
    assert!(told.starts_with(
        "config.acmee.url.organization: there is no organization \"acmee\"; did you mean acme?"
    ));
    let mut known = with_acme();
    let invoice = workflow(WorkflowDefinition::named("billing/invoice"));
    known = written(known, &[invoice]);
    let remove = DefinitionEdit::RemoveWorkflow { name: "billing/invoce".into(), organization: None };
    let told = plan(&known, &[remove]).unwrap_err();
    assert_eq!(told[0].kind, ProblemKind::NotFound);
    assert_eq!(
        told[0].to_string(),
        "workflows.\"billing/invoce\": no such workflow is defined; did you mean billing/invoice?"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let wrong = WorkflowDefinition {
        path: Some("../secrets.py".into()),
        timeout_seconds: Some(0.0),
        max_attempts: Some(0),
        ..WorkflowDefinition::named("w")
    };
    insta::assert_snapshot!(problems(&Definitions::default(), workflow(wrong)), @r#"
    workflows.w.path: "../secrets.py" must be a file below the workflows folder, without / at its beginning and without ..
    workflows.w.timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0
    workflows.w.max_attempts: must be a whole number from 1 to 1000, not 0
    "#);
    let alone = WorkflowDefinition { function: Some("run".into()), ..WorkflowDefinition::named("w") };
    let told = problems(&Definitions::default(), workflow(alone));
    assert!(told.contains("workflows.w.function: needs a path"), "{told}");
    for key in ["", "global", "a b", "-a", "00000000-0000-0000-0000-000000000007"] {
        problems(&Definitions::default(), DefinitionEdit::SetOrganization(organization(key)));
    }
}

#[test]
fn a_path_names_a_file_and_no_folder() {
    let told = |path: &str| {
        let wanted = WorkflowDefinition { path: Some(path.into()), ..WorkflowDefinition::named("w") };
        plan(&Definitions::default(), &[workflow(wanted)])
    };
    for path in [".", "./", "./.", "a/", "a/.", "a/..", ".."] {
        let told = told(path).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains("must be a file below the workflows folder"), "{path}: {told}");
    }
    for path in ["a.js", "./a.js", "a/./b.py", ".hidden.js"] {
        told(path).unwrap();
    }
}

#[test]
fn several_rows_of_one_name_are_not_guessed_among() {
    let row = |id: u128| WorkflowRecord {
        id: Uuid::from_u128(id),
        name: "w".into(),
        path: None,
        function_name: None,
        language: None,
        organization_id: None,
        timeout_seconds: None,
        max_attempts: None,
        is_active: true,
        admission: WorkflowTerms::default(),
        retry: RetryOptions::default(),
        webhook: None,
        retention: RetentionTerms::default(),
    };
    let set = || workflow(WorkflowDefinition { max_attempts: Some(2), ..WorkflowDefinition::named("w") });
    let rows = Definitions { workflows: vec![row(1), row(2)], ..Definitions::default() };
    assert!(problems(&rows, set()).contains("several rows have this name"));
    let inactive = WorkflowRecord { is_active: false, ..row(2) };
    let rows = written(Definitions { workflows: vec![row(1), inactive], ..rows }, &[set()]);
    assert_eq!(rows.workflows.iter().find(|row| row.is_active).unwrap().max_attempts, Some(2));
}

#[test]
fn what_a_workflow_says_of_admission_is_in_its_row() {
    let rows = applied(Definitions::default(), FILE, false);
    let row = rows.workflows.iter().find(|row| row.organization_id.is_none()).unwrap();
    assert_eq!(row.max_attempts, Some(3), "as many attempts as its policy says");
    assert_eq!((row.retry.max_attempts, row.retry.backoff_seconds), (None, Some(5.0)));
    let concurrency = row.admission.concurrency.as_ref().unwrap();
    assert_eq!((concurrency.total, concurrency.per_key), (Some(20), Some(2)));
    assert_eq!(row.admission.queue.as_deref(), Some("python"));
    let pruned = applied(rows, "[limits.mail]\ntotal = 1\n", true);
    assert_eq!(pruned.limits.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["mail"]);
}

#[test]
fn what_a_workflow_says_of_its_ends_is_in_its_row() {
    let rows = applied(Definitions::default(), FILE, false);
    let row = rows.workflows.iter().find(|row| row.organization_id.is_none()).unwrap();
    assert_eq!(row.webhook.as_deref(), Some("billing"));
    assert_eq!(row.retention, RetentionTerms { days: Some(365.0), failed_days: Some(0.0) });
    for wrong in [-1.0, f64::NAN, f64::INFINITY, 36_501.0] {
        let wanted = WorkflowDefinition { retention_days: Some(wrong), ..WorkflowDefinition::named("w") };
        let told = problems(&rows, workflow(wanted));
        assert!(told.starts_with("workflows.w.retention_days: must be a number of days from 0"), "{told}");
    }
}
