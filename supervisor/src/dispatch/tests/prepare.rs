//! From a row to what a worker is told.

use std::sync::Arc;
use std::time::Duration;

use muster_bus::Bus;
use muster_core::execution::Attempt;
use muster_protocol::{CodeSource, JsonBytes, WorkflowDescription};
use muster_store::NewExecution;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::{TestLine, request};
use crate::descriptions::{DescribedSet, Descriptions};
use crate::dispatch::{Prepare as _, PrepareError, PreparedAttempt, Preparer};

const MINUTE: Duration = Duration::from_secs(60);

async fn prepared(preparer: &Preparer, execution: &NewExecution) -> Result<PreparedAttempt, PrepareError> {
    preparer.prepare(Attempt::new(execution.id, 1), execution).await
}

fn refused_as(prepared: Result<PreparedAttempt, PrepareError>) -> String {
    match prepared {
        Err(PrepareError::Refused(failure)) => failure.error_type,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_row_becomes_a_run_with_the_terms_of_its_request() {
    let line = TestLine::start().await;
    let preparer = Preparer::new(line.store.clone(), line.bus.clone(), MINUTE, Arc::default(), None);
    line.sql("INSERT INTO config_entries (key, value) VALUES ('region', '\"eu\"')").await;
    let asked =
        json!({"parameters": {"a": 1.50}, "sync": true, "max_attempts": 2, "retry_backoff_seconds": 3});
    let PreparedAttempt { spec, terms } = prepared(&preparer, &request(&asked)).await.unwrap();
    assert_eq!((spec.workflow.as_str(), spec.source), ("w", CodeSource::Named));
    assert_eq!(&spec.params.0[..], br#"{"a":1.5}"#);
    let context: Value = spec.context.parse().unwrap();
    assert_eq!(context["config"], json!({"region": "eu"}));
    assert_eq!((spec.stated_timeout, spec.default_timeout, terms.timeout), (None, MINUTE, Some(MINUTE)));
    assert_eq!(
        (terms.retry.max_attempts, terms.retry.backoff_seconds, terms.sync),
        (Some(2), Some(3.0), true)
    );
    assert_eq!((spec.stated_attempts, spec.failure_halts), (Some(2), false));

    preparer.set_default_timeout(2 * MINUTE);
    let later = prepared(&preparer, &request(&json!({}))).await.unwrap();
    assert_eq!((later.spec.default_timeout, later.terms.sync), (2 * MINUTE, false));
}

#[tokio::test]
async fn what_the_code_declares_comes_before_the_setting_and_refuses_bad_parameters() {
    let line = TestLine::start().await;
    let descriptions = Arc::<Descriptions>::default();
    let preparer =
        Preparer::new(line.store.clone(), line.bus.clone(), MINUTE, Arc::clone(&descriptions), None);
    let declared = WorkflowDescription {
        name: "w".to_owned(),
        timeout_ms: Some(5000),
        parameters: JsonBytes::from(r#"{"properties":{"n":{"type":"integer"}},"required":["n"]}"#),
        ..WorkflowDescription::default()
    };
    descriptions.ready(1, Some(DescribedSet::read(true, &[declared], &[]).0));
    let fine = prepared(&preparer, &request(&json!({"parameters": {"n": 1}}))).await.unwrap();
    assert_eq!(fine.terms.timeout, Some(Duration::from_secs(5)));
    let stated = json!({"parameters": {"n": 1}, "timeout_seconds": 9});
    assert_eq!(
        prepared(&preparer, &request(&stated)).await.unwrap().terms.timeout,
        Some(Duration::from_secs(9))
    );
    let bad = prepared(&preparer, &request(&json!({"parameters": {"n": "1"}}))).await;
    assert_eq!(refused_as(bad), "InvalidParameters");
    // A row that gives this name to another file is another workflow.
    line.sql(
        "INSERT INTO workflows (id, name, path) VALUES ('00000000-0000-0000-0000-000000000007', 'w', 'v2/w.py')",
    )
    .await;
    let preparer = Preparer::new(line.store.clone(), Bus::in_process("another"), MINUTE, descriptions, None);
    assert!(prepared(&preparer, &request(&json!({"parameters": {"n": "1"}}))).await.is_ok());
}

#[tokio::test]
async fn parameters_are_left_to_the_worker_once_the_code_may_have_changed() {
    let line = TestLine::start().await;
    let workflows = tempfile::tempdir().unwrap();
    let file = workflows.path().join("w.py");
    std::fs::write(&file, "").unwrap();
    // A file that was written within a tick of its description counts as changed: the description comes well after it.
    let written = std::time::Instant::now();
    while written.elapsed() < Duration::from_millis(50) {
        tokio::task::yield_now().await;
    }
    let descriptions = Arc::new(Descriptions::new(workflows.path().to_owned()));
    let declared = WorkflowDescription {
        name: "w".to_owned(),
        source_file: "w.py".to_owned(),
        parameters: JsonBytes::from(r#"{"required":["n"]}"#),
        ..WorkflowDescription::default()
    };
    descriptions.ready(1, Some(DescribedSet::read(true, &[declared], &[]).0));
    let preparer = Preparer::new(line.store.clone(), line.bus.clone(), MINUTE, descriptions, None);
    let without = request(&json!({"parameters": {"m": 1}}));
    let asked = without.read_request().unwrap();
    assert!(preparer.check_parameters(&asked).await.is_err());
    assert_eq!(refused_as(prepared(&preparer, &without).await), "InvalidParameters");
    // The clock of files goes in steps: once it has gone on, a change shows.
    let begun = std::time::Instant::now();
    while preparer.check_parameters(&asked).await.is_err() {
        assert!(begun.elapsed() < MINUTE, "the change is not seen");
        std::fs::write(&file, "").unwrap();
    }
    assert!(prepared(&preparer, &without).await.is_ok());
}

#[tokio::test]
async fn what_can_never_run_is_refused_and_what_is_away_is_not() {
    let line = TestLine::start().await;
    let preparer = Preparer::new(line.store.clone(), line.bus.clone(), MINUTE, Arc::default(), None);
    let mut no_request = Arc::unwrap_or_clone(request(&json!({})));
    no_request.request = RawValue::from_string("[]".to_owned()).unwrap();
    assert_eq!(refused_as(prepared(&preparer, &no_request).await), "InvalidRequest");
    let id = json!({"workflow": null, "workflow_id": Uuid::from_u128(7)});
    assert_eq!(refused_as(prepared(&preparer, &request(&id)).await), "WorkflowNotFound");
    line.sql("DROP TABLE config_entries").await;
    let preparer =
        Preparer::new(line.store.clone(), Bus::in_process("another"), MINUTE, Arc::default(), None);
    let away = prepared(&preparer, &request(&json!({}))).await;
    assert!(matches!(away, Err(PrepareError::Unavailable(_))), "{away:?}");
}
