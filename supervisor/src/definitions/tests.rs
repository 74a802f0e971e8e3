//! What wishes come to, over rows.

use muster_store::{ConfigRecord, DefinitionWrite, Definitions, OrganizationRecord, WorkflowRecord};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{DefinitionEdit, ProblemKind, plan};
use crate::api::{OrganizationDefinition, VariableDefinition, WorkflowDefinition};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn acme() -> OrganizationRecord {
    OrganizationRecord {
        id: Uuid::from_u128(7),
        key: Some("acme".into()),
        name: "Acme".into(),
        is_active: true,
    }
}

fn with_acme() -> Definitions {
    Definitions { organizations: vec![acme()], ..Definitions::default() }
}

fn organization(key: &str) -> OrganizationDefinition {
    OrganizationDefinition { key: key.into(), name: None, id: None, is_active: true }
}

fn variable(key: &str, organization: Option<&str>, value: &str) -> DefinitionEdit {
    let organization = organization.map(ToOwned::to_owned);
    DefinitionEdit::SetVariable(VariableDefinition { key: key.into(), organization, value: raw(value) })
}

fn secret(key: &str) -> DefinitionEdit {
    DefinitionEdit::SetSecret { key: key.into(), organization: None, value: raw("\"hush\"") }
}

/// The rows as the writes leave them.
fn written(mut definitions: Definitions, edits: &[DefinitionEdit]) -> Definitions {
    for change in plan(&definitions, edits).unwrap() {
        match change.write {
            DefinitionWrite::PutOrganization(row) => {
                definitions.organizations.retain(|other| other.id != row.id);
                definitions.organizations.push(row);
            }
            DefinitionWrite::RemoveOrganization(id) => definitions.organizations.retain(|row| row.id != id),
            DefinitionWrite::PutWorkflow(row) => {
                definitions.workflows.retain(|other| other.id != row.id);
                definitions.workflows.push(row);
            }
            DefinitionWrite::RemoveWorkflow(id) => definitions.workflows.retain(|row| row.id != id),
            DefinitionWrite::PutConfig(row) => {
                definitions
                    .config
                    .retain(|other| (&other.key, other.organization_id) != (&row.key, row.organization_id));
                definitions.config.push(row);
            }
            DefinitionWrite::RemoveConfig { organization_id, key } => {
                definitions.config.retain(|row| (&row.key, row.organization_id) != (&key, organization_id));
            }
        }
    }
    definitions
}

fn problems(definitions: &Definitions, edit: DefinitionEdit) -> String {
    let problems = plan(definitions, &[edit]).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_so_already_is_not_written() {
    let edits = [
        DefinitionEdit::SetOrganization(organization("acme")),
        DefinitionEdit::SetWorkflow(WorkflowDefinition {
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
    let invoice = DefinitionEdit::SetWorkflow(WorkflowDefinition::named("billing/invoice"));
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
    insta::assert_snapshot!(problems(&Definitions::default(), DefinitionEdit::SetWorkflow(wrong)), @r#"
    workflows.w.path: "../secrets.py" must be a file below the workflows folder, without / at its beginning and without ..
    workflows.w.timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0
    workflows.w.max_attempts: must be a whole number from 1 to 1000, not 0
    "#);
    let alone = WorkflowDefinition { function: Some("run".into()), ..WorkflowDefinition::named("w") };
    let told = problems(&Definitions::default(), DefinitionEdit::SetWorkflow(alone));
    assert!(told.contains("workflows.w.function: needs a path"), "{told}");
    for key in ["", "global", "a b", "-a", "00000000-0000-0000-0000-000000000007"] {
        problems(&Definitions::default(), DefinitionEdit::SetOrganization(organization(key)));
    }
}

#[test]
fn an_organization_goes_only_when_nothing_is_left_of_it() {
    let held = written(with_acme(), &[variable("url", Some("acme"), "1"), secret("global")]);
    let remove = DefinitionEdit::RemoveOrganization { key: "acme".into() };
    assert!(problems(&held, remove.clone()).contains("still has 1 variable: remove them first"));
    let variable = DefinitionEdit::RemoveVariable { key: "url".into(), organization: Some("acme".into()) };
    assert!(written(held, &[variable, remove]).organizations.is_empty());
}

#[test]
fn an_organization_written_by_hand_is_known_by_its_id_and_name_and_can_be_given_a_key() {
    let by_hand = OrganizationRecord { key: None, ..acme() };
    let rows = Definitions { organizations: vec![by_hand.clone()], ..Definitions::default() };
    for called in ["Acme", &by_hand.id.to_string()] {
        let config = written(rows.clone(), &[variable("url", Some(called), "1")]).config;
        assert_eq!(config[0].organization_id, Some(by_hand.id));
    }
    let keyed =
        OrganizationDefinition { name: Some("Acme".into()), id: Some(by_hand.id), ..organization("Acme") };
    let rows = written(rows, &[DefinitionEdit::SetOrganization(keyed)]);
    assert_eq!(rows.organizations, [OrganizationRecord { key: Some("Acme".into()), ..acme() }]);
}

#[test]
fn ids_do_not_change_and_are_not_taken_twice() {
    let other = OrganizationDefinition { id: Some(Uuid::from_u128(8)), ..organization("acme") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(other));
    assert!(told.contains("cannot be changed"), "{told}");
    let taken = OrganizationDefinition { id: Some(acme().id), ..organization("other") };
    let told = problems(&with_acme(), DefinitionEdit::SetOrganization(taken));
    assert!(told.contains("is that of the organization acme"), "{told}");
}

#[test]
fn of_a_secret_nothing_is_told() {
    let rows = written(Definitions::default(), &[variable("key", None, "\"open\"")]);
    let change = &plan(&rows, &[secret("key")]).unwrap()[0];
    assert_eq!(change.after.as_deref(), Some("\"(secret)\""));
    let rows = written(rows, &[secret("key")]);
    assert!(matches!(rows.config.as_slice(), [ConfigRecord { is_secret: true, .. }]));
    // What became a secret does not become a variable by mistake.
    let told = problems(&rows, variable("key", None, "1"));
    assert!(told.contains("is a secret") && !told.contains("hush"), "{told}");
    let remove = DefinitionEdit::RemoveVariable { key: "key".into(), organization: None };
    assert!(problems(&rows, remove).contains("there is no such variable"));
    assert!(!format!("{:?}", secret("key")).contains("hush"));
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
    };
    let set = || {
        DefinitionEdit::SetWorkflow(WorkflowDefinition {
            max_attempts: Some(2),
            ..WorkflowDefinition::named("w")
        })
    };
    let rows = Definitions { workflows: vec![row(1), row(2)], ..Definitions::default() };
    assert!(problems(&rows, set()).contains("several rows have this name"));
    let inactive = WorkflowRecord { is_active: false, ..row(2) };
    let rows = written(Definitions { workflows: vec![row(1), inactive], ..rows }, &[set()]);
    assert_eq!(rows.workflows.iter().find(|row| row.is_active).unwrap().max_attempts, Some(2));
}
