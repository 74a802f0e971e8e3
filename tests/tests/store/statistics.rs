//! What the latest executions came to, by workflow, and how far back that is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_core::statistics::WorkflowStatistics;
use muster_store::NewExecution;
use uuid::Uuid;

use crate::fixture::{Fixture, new_execution};

/// An execution that came to this, and ran so long.
async fn ended(fixture: &Fixture, workflow: &str, status: &str, duration_ms: u64) {
    let execution = NewExecution { workflow_name: Some(workflow.to_owned()), ..new_execution() };
    let id = execution.id;
    fixture.store.submit(&[execution]).await.unwrap();
    fixture
        .sql(&format!(
            "UPDATE executions SET status = '{status}', duration_ms = {duration_ms}, completed_at = created_at
             WHERE id = '{id}'"
        ))
        .await;
}

pub(crate) async fn what_the_latest_executions_came_to_is_counted_by_workflow(fixture: Fixture) {
    for duration in 1..=100 {
        ended(&fixture, "often", "SUCCESS", duration).await;
    }
    for status in ["SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"] {
        ended(&fixture, "seldom", status, 7).await;
    }
    fixture.sql("UPDATE executions SET duration_ms = NULL WHERE status = 'CANCELLED'").await;
    // What waits and what is older is not counted.
    fixture.submitted().await;
    let yesterday = Timestamp::now() - SignedDuration::from_hours(24);
    let found = fixture.store.statistics(yesterday, None, None).await.unwrap();
    let names: Vec<_> = found.iter().map(|one| one.workflow_name.as_deref()).collect();
    assert_eq!(names, [Some("often"), Some("seldom")]);
    let counts = |one: &WorkflowStatistics| [one.ended, one.succeeded, one.failed, one.cancelled];
    assert_eq!(found.iter().map(counts).collect::<Vec<_>>(), [[100, 100, 0, 0], [4, 1, 2, 1]]);
    let times = |one: &WorkflowStatistics| [one.duration_p50_ms, one.duration_p95_ms];
    assert_eq!(found.iter().map(times).collect::<Vec<_>>(), [[Some(50), Some(95)], [Some(7), Some(7)]]);
    assert_eq!((found[0].last_failed_at, found[0].oldest), (None, None));
    let failed = found[1].last_failed_at.unwrap();
    assert!(failed.duration_until(Timestamp::now()).unsigned_abs() < Duration::from_secs(60));
    assert_eq!(fixture.store.statistics(yesterday, Some("seldom"), None).await.unwrap(), found[1..]);
    assert_eq!(fixture.store.statistics(yesterday, Some("other"), None).await.unwrap(), []);
    let (acme, other) = (Uuid::from_u128(7), Uuid::from_u128(8));
    fixture
        .sql(&format!("UPDATE executions SET organization_id = '{acme}' WHERE workflow_name = 'seldom'"))
        .await;
    let of = async |workflow, organization| {
        fixture.store.statistics(yesterday, workflow, Some(organization)).await.unwrap()
    };
    assert_eq!(of(None, acme).await, found[1..]);
    assert_eq!(of(Some("seldom"), acme).await, found[1..]);
    assert_eq!((of(Some("often"), acme).await, of(None, other).await), (Vec::new(), Vec::new()));
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    assert_eq!(fixture.store.statistics(later, None, None).await.unwrap(), []);
}

/// Of each end so many are looked at; where that is not all of one, the others count from the same moment on.
pub(crate) async fn where_there_are_too_many_to_count_the_shares_stay_true(fixture: Fixture) {
    let insert = match fixture.adapter() {
        "sqlite" => {
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 12000)
             INSERT INTO executions (id, workflow_name, status, execution_model, max_attempts, run_after, created_at, completed_at)
             SELECT printf('00000000-0000-7000-8000-%012d', n), 'often', CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
                 'process', 1, 1700000000000000 + n, 1700000000000000 + n, 1700000000000000 + n FROM numbers"
        }
        _ => {
            "INSERT INTO executions (id, workflow_name, status, execution_model, max_attempts, run_after, created_at, completed_at)
             SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'often',
                 CASE WHEN n % 10 = 0 THEN 'FAILED' ELSE 'SUCCESS' END, 'process', 1, at, at, at
             FROM generate_series(1, 12000) AS n, LATERAL (SELECT to_timestamp(1700000000) + n * interval '1 microsecond' AS at) AS moment"
        }
    };
    fixture.sql(insert).await;
    let found = fixture.store.statistics(Timestamp::UNIX_EPOCH, None, None).await.unwrap();
    // The newest 10,000 that succeeded are those from 890 on, and so are 1,112 that failed.
    assert_eq!((found[0].succeeded, found[0].failed), (10_000, 1_112));
    assert_eq!(found[0].oldest, Some(Timestamp::from_microsecond(1_700_000_000_000_889).unwrap()));
}
