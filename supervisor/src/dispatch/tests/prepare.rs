//! From a row to what a worker is told.

use std::sync::Arc;
use std::time::Duration;

use muster_bus::Bus;
use muster_core::execution::Attempt;
use muster_protocol::CodeSource;
use muster_store::NewExecution;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use super::{TestLine, request};
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
    let preparer = Preparer::new(line.store.clone(), line.bus.clone(), MINUTE);
    line.sql("INSERT INTO config_entries VALUES (NULL, 'region', '\"eu\"', 0)").await;
    let asked =
        json!({"parameters": {"a": 1.50}, "sync": true, "max_attempts": 2, "retry_backoff_seconds": 3});
    let PreparedAttempt { spec, terms } = prepared(&preparer, &request(&asked)).await.unwrap();
    assert_eq!((spec.workflow.as_str(), spec.source), ("w", CodeSource::Named));
    assert_eq!(&spec.params.0[..], br#"{"a":1.5}"#);
    let context: Value = spec.context.parse().unwrap();
    assert_eq!(context["config"], json!({"region": "eu"}));
    assert_eq!((spec.timeout, terms.timeout), (Some(MINUTE), Some(MINUTE)));
    assert_eq!(
        (terms.user_attempts, terms.backoff, terms.sync),
        (Some(2), Some(Duration::from_secs(3)), true)
    );
    assert!(!spec.halts);

    preparer.set_default_timeout(2 * MINUTE);
    let later = prepared(&preparer, &request(&json!({}))).await.unwrap();
    assert_eq!((later.spec.timeout, later.terms.sync), (Some(2 * MINUTE), false));
}

#[tokio::test]
async fn what_can_never_run_is_refused_and_what_is_away_is_not() {
    let line = TestLine::start().await;
    let preparer = Preparer::new(line.store.clone(), line.bus.clone(), MINUTE);
    let mut no_request = Arc::unwrap_or_clone(request(&json!({})));
    no_request.request = RawValue::from_string("[]".to_owned()).unwrap();
    assert_eq!(refused_as(prepared(&preparer, &no_request).await), "InvalidRequest");
    let id = json!({"workflow": null, "workflow_id": Uuid::from_u128(7)});
    assert_eq!(refused_as(prepared(&preparer, &request(&id)).await), "WorkflowNotFound");
    line.sql("DROP TABLE config_entries").await;
    let preparer = Preparer::new(line.store.clone(), Bus::in_process("another"), MINUTE);
    let away = prepared(&preparer, &request(&json!({}))).await;
    assert!(matches!(away, Err(PrepareError::Unavailable(_))), "{away:?}");
}
