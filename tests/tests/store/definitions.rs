//! What is defined is changed all or nothing, at the version it was decided from, and every change is noted.

use muster_core::execution::RetryOptions;
use muster_core::limit::{ConcurrencyTerms, OnFull};
use muster_store::{
    ConfigRecord, DefinitionChange, DefinitionWrite, DefinitionsWritten, OrganizationRecord, RetentionTerms,
    WorkflowRecord, WorkflowTerms,
};
use uuid::Uuid;

use crate::fixture::{Fixture, raw};

pub(crate) fn change(
    write: DefinitionWrite,
    name: &str,
    before: Option<&str>,
    after: Option<&str>,
) -> DefinitionChange {
    let [before, after] = [before, after].map(|text| text.map(ToOwned::to_owned));
    DefinitionChange { write, kind: "thing", name: name.to_owned(), organization: None, before, after }
}

fn acme() -> OrganizationRecord {
    OrganizationRecord {
        id: Uuid::from_u128(7),
        key: Some("acme".into()),
        name: "Acme".into(),
        weight: Some(2.0),
        is_active: true,
    }
}

fn invoice() -> WorkflowRecord {
    WorkflowRecord {
        id: Uuid::from_u128(8),
        name: "billing/invoice".into(),
        path: Some("billing/invoice.py".into()),
        function_name: Some("run".into()),
        language: Some("python".into()),
        organization_id: Some(acme().id),
        timeout_seconds: Some(1.5),
        max_attempts: Some(3),
        is_active: true,
        admission: WorkflowTerms {
            concurrency: Some(ConcurrencyTerms {
                total: Some(20),
                per_key: Some(2),
                key: "parameters.customer".parse().unwrap(),
                on_full: OnFull::Reject,
            }),
            limits: Some(vec!["crm".into()]),
            queue: Some("python".into()),
        },
        retry: RetryOptions { backoff_seconds: Some(5.0), ..RetryOptions::default() },
        webhook: Some("ops".into()),
        retention: RetentionTerms { days: Some(365.0), failed_days: Some(0.5) },
    }
}

fn entry(value: &str) -> ConfigRecord {
    ConfigRecord {
        organization_id: None,
        key: "url".into(),
        value: raw(value),
        is_secret: false,
        key_id: None,
    }
}

pub(crate) async fn write(fixture: &Fixture, changes: &[DefinitionChange]) {
    let version = fixture.store.definitions().await.unwrap().version;
    let written = fixture.store.write_definitions(version, "anna", changes).await.unwrap();
    assert_eq!(written, DefinitionsWritten::Committed);
}

pub(crate) async fn rows_are_written_changed_and_removed(fixture: Fixture) {
    let put = [
        change(DefinitionWrite::PutOrganization(acme()), "acme", None, Some("{}")),
        change(DefinitionWrite::PutWorkflow(invoice()), "billing/invoice", None, Some("{}")),
        change(DefinitionWrite::PutConfig(entry("{\"a\": 1}")), "url", None, Some("{\"a\": 1}")),
    ];
    write(&fixture, &put).await;
    let found = fixture.store.definitions().await.unwrap();
    assert_eq!((found.organizations, found.workflows), (vec![acme()], vec![invoice()]));
    assert_eq!(found.config[0].value.get(), "{\"a\": 1}");
    let changed = WorkflowRecord {
        timeout_seconds: None,
        is_active: false,
        webhook: None,
        retention: RetentionTerms::default(),
        ..invoice()
    };
    let put = [
        change(DefinitionWrite::PutWorkflow(changed.clone()), "billing/invoice", Some("{}"), Some("{}")),
        change(DefinitionWrite::PutConfig(entry("2")), "url", Some("{\"a\": 1}"), Some("2")),
    ];
    write(&fixture, &put).await;
    let found = fixture.store.definitions().await.unwrap();
    assert_eq!(found.workflows, [changed]);
    assert_eq!(found.config.iter().map(|row| row.value.get()).collect::<Vec<_>>(), ["2"]);
    let key = "url".to_owned();
    let remove = [
        change(DefinitionWrite::RemoveConfig { organization_id: None, key }, "url", Some("2"), None),
        change(DefinitionWrite::RemoveWorkflow(invoice().id), "billing/invoice", Some("{}"), None),
        change(DefinitionWrite::RemoveOrganization(acme().id), "acme", Some("{}"), None),
    ];
    write(&fixture, &remove).await;
    let left = fixture.store.definitions().await.unwrap();
    assert!(left.organizations.is_empty() && left.workflows.is_empty() && left.config.is_empty());

    let noted = fixture.store.changes(None, 100).await.unwrap();
    assert_eq!(noted.len(), 8);
    assert_eq!(
        (noted[0].name.as_str(), noted[0].after.is_none(), noted[0].who.as_str()),
        ("acme", true, "anna")
    );
    let older = fixture.store.changes(Some(noted[1].number), 2).await.unwrap();
    assert_eq!(older.iter().map(|one| one.number).collect::<Vec<_>>(), [noted[2].number, noted[3].number]);
    assert_eq!(noted[7].before.as_ref().map(|raw| raw.get()), None);
    assert_eq!(noted[5].after.as_ref().map(|raw| raw.get()), Some("{\"a\": 1}"));
}

pub(crate) async fn whoever_is_late_writes_nothing(fixture: Fixture) {
    let version = fixture.store.definitions().await.unwrap().version;
    write(&fixture, &[change(DefinitionWrite::PutOrganization(acme()), "acme", None, Some("{}"))]).await;
    let late = [change(DefinitionWrite::PutConfig(entry("1")), "url", None, Some("1"))];
    let written = fixture.store.write_definitions(version, "bert", &late).await.unwrap();
    assert_eq!(written, DefinitionsWritten::Outdated);
    assert!(fixture.store.definitions().await.unwrap().config.is_empty());
    assert_eq!(fixture.store.changes(None, 10).await.unwrap().len(), 1);
    // A change by hand counts as one.
    let version = fixture.store.definition_version().await.unwrap();
    fixture.sql("UPDATE organizations SET name = 'other'").await;
    assert!(fixture.store.definition_version().await.unwrap() > version);
}

pub(crate) async fn a_change_that_is_refused_takes_all_along(fixture: Fixture) {
    fixture.refuse("INSERT", "config_entries", "NEW.key = 'url'").await;
    let both = [
        change(DefinitionWrite::PutOrganization(acme()), "acme", None, Some("{}")),
        change(DefinitionWrite::PutConfig(entry("1")), "url", None, Some("1")),
    ];
    let version = fixture.store.definitions().await.unwrap().version;
    fixture.store.write_definitions(version, "anna", &both).await.unwrap_err();
    let left = fixture.store.definitions().await.unwrap();
    assert!(left.organizations.is_empty() && left.version == version);
    assert!(fixture.store.changes(None, 10).await.unwrap().is_empty());
}
