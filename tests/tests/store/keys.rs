//! Idempotency keys: of several submits with one key, one becomes an execution.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::{ExecutionRequest, Status};
use muster_store::{Claim, NewExecution, Submitted};
use uuid::Uuid;

use crate::fixture::{Fixture, QUEUE, claimant, new_execution};

/// A request with a key, as it comes in.
fn keyed(key: &str, workflow: &str, parameters: &str) -> NewExecution {
    let id = Uuid::now_v7();
    let message = format!(
        r#"{{"execution_id":"{id}","workflow":"{workflow}","parameters":{parameters},"idempotency_key":"{key}"}}"#
    );
    NewExecution::of(&ExecutionRequest::parse(message.as_bytes()).unwrap(), 3).in_queue(QUEUE)
}

async fn submit(fixture: &Fixture, new: &NewExecution) -> Submitted {
    fixture.store.submit(std::slice::from_ref(new)).await.unwrap().remove(0)
}

pub(crate) async fn a_second_submit_is_the_first_ones_execution(fixture: Fixture) {
    let first = keyed("order-7", "greet", r#"{"a":1,"b":[2]}"#);
    assert_eq!(submit(&fixture, &first).await, Submitted::Inserted);
    let second = keyed("order-7", "greet", r#"{ "b" : [2], "a": 1 }"#);
    let existing = |status| Submitted::Existing { id: first.id, status };
    assert_eq!(submit(&fixture, &second).await, existing(Status::Pending));
    assert!(fixture.store.execution(second.id).await.unwrap().is_none());
    assert_eq!(fixture.row(first.id).await.idempotency_key.as_deref(), Some("order-7"));

    fixture.store.request_cancel(first.id).await.unwrap();
    assert_eq!(submit(&fixture, &second).await, existing(Status::Cancelled));
    assert_eq!(submit(&fixture, &first).await, existing(Status::Cancelled), "the same again, id and all");

    for other in [keyed("order-7", "greet", r#"{"a":2}"#), keyed("order-7", "leave", r#"{"a":1,"b":[2]}"#)] {
        assert_eq!(submit(&fixture, &other).await, Submitted::KeyReused { id: first.id });
        assert!(fixture.store.execution(other.id).await.unwrap().is_none());
    }
    let elsewhere =
        NewExecution { organization_id: Some(Uuid::now_v7()), ..keyed("order-7", "greet", r#"{"a":2}"#) };
    assert_eq!(
        submit(&fixture, &elsewhere).await,
        Submitted::Inserted,
        "another organization's key is another"
    );
}

pub(crate) async fn no_key_stands_for_the_execution_of_another_request(fixture: Fixture) {
    let plain = new_execution();
    let with = |id, key: &str| NewExecution { id, ..keyed(key, "w", "2") };
    assert_eq!(submit(&fixture, &plain).await, Submitted::Inserted);
    assert_eq!(submit(&fixture, &with(plain.id, "k")).await, Submitted::Exists(Status::Pending));
    assert_eq!(submit(&fixture, &keyed("k", "w", "2")).await, Submitted::Inserted, "the key is free");

    let first = new_execution();
    let answers = fixture.store.submit(&[first.clone(), with(first.id, "l")]).await.unwrap();
    assert_eq!(answers, [Submitted::Inserted, Submitted::Exists(Status::Pending)]);
    let holder = keyed("l", "w", "2");
    assert_eq!(submit(&fixture, &holder).await, Submitted::Inserted, "the key is free");

    // An id whose first request is what its key stands for already is that of the second.
    let twice = Uuid::now_v7();
    let answers = fixture
        .store
        .submit(&[with(twice, "l"), NewExecution { id: twice, ..new_execution() }])
        .await
        .unwrap();
    let existing = Submitted::Existing { id: holder.id, status: Status::Pending };
    assert_eq!(answers, [existing, Submitted::Inserted]);
    assert_eq!(fixture.status(twice).await, Status::Pending);
}

pub(crate) async fn a_key_counts_within_one_group_too(fixture: Fixture) {
    let (first, again) = (keyed("k", "w", "1"), keyed("k", "w", "1"));
    let (other, plain) = (keyed("k", "w", "2"), new_execution());
    let group = [plain.clone(), first.clone(), again, other, keyed("l", "w", "2")];
    let answers = fixture.store.submit(&group).await.unwrap();
    let expected = [
        Submitted::Inserted,
        Submitted::Inserted,
        Submitted::Existing { id: first.id, status: Status::Pending },
        Submitted::KeyReused { id: first.id },
        Submitted::Inserted,
    ];
    assert_eq!(answers, expected);
}

pub(crate) async fn a_message_with_a_known_key_runs_nothing(fixture: Fixture) {
    let me = claimant();
    let (first, second) = (Arc::new(keyed("m", "w", "{}")), Arc::new(keyed("m", "w", "{}")));
    let claims = fixture.store.claim(&me, &[first.clone(), second.clone()]).await.unwrap();
    assert!(matches!(claims[0], Claim::Elsewhere(Status::Pending)), "a row that is claimed next: {claims:?}");
    assert!(matches!(claims[1], Claim::Existing { id, .. } if id == first.id), "{claims:?}");
    let claimed = fixture.take_over(&me).await;
    assert_eq!(claimed.iter().map(|one| one.attempt.execution_id).collect::<Vec<_>>(), [first.id]);
    let claims = fixture.store.claim(&me, &[second, Arc::new(keyed("m", "w", "[1]"))]).await.unwrap();
    assert!(
        matches!(claims[0], Claim::Existing { id, status: Status::Running } if id == first.id),
        "{claims:?}"
    );
    assert!(matches!(claims[1], Claim::KeyReused { id } if id == first.id), "{claims:?}");
}

pub(crate) async fn a_key_is_free_when_its_time_is_over_or_its_row_is_gone(fixture: Fixture) {
    let first = keyed("k", "w", "1").remembered_for(Duration::from_secs(60));
    submit(&fixture, &first).await;
    assert_eq!(fixture.store.forget_keys(10).await.unwrap(), 0);
    let epoch = fixture.moment("0");
    fixture.sql(&format!("UPDATE idempotency_keys SET expires_at = {epoch}")).await;
    let second = keyed("k", "w", "2");
    assert_eq!(submit(&fixture, &second).await, Submitted::Inserted, "before it is swept");
    assert_eq!(
        submit(&fixture, &keyed("k", "w", "2")).await,
        Submitted::Existing { id: second.id, status: Status::Pending }
    );

    fixture.sql(&format!("DELETE FROM executions WHERE id = '{}'", second.id)).await;
    let third = keyed("k", "w", "3");
    assert_eq!(submit(&fixture, &third).await, Submitted::Inserted, "there is nothing to answer with");

    for number in 0..5 {
        submit(&fixture, &keyed(&format!("many-{number}"), "w", "1")).await;
    }
    fixture.sql(&format!("UPDATE idempotency_keys SET expires_at = {epoch} WHERE key <> 'k'")).await;
    assert_eq!(fixture.store.forget_keys(3).await.unwrap(), 3);
    assert_eq!(fixture.store.forget_keys(3).await.unwrap(), 2);
    assert_eq!(fixture.texts("SELECT key FROM idempotency_keys").await, ["k"]);
}

pub(crate) async fn of_many_that_come_together_exactly_one_is_made(fixture: Fixture) {
    for round in 0..5 {
        let mut submits = tokio::task::JoinSet::new();
        let stores = [fixture.store.clone(), fixture.another_store().await];
        for number in 0..32 {
            let store = stores[number % 2].clone();
            let new = keyed(&format!("round-{round}"), "w", "[]");
            submits.spawn(async move {
                // As messages and as bodies.
                if number % 3 == 0 {
                    let claim = store.claim(&claimant(), &[Arc::new(new.clone())]).await.unwrap().remove(0);
                    if let Claim::Existing { id, .. } = claim {
                        return (id, false);
                    }
                    assert!(matches!(claim, Claim::Elsewhere(Status::Pending)), "{claim:?}");
                } else {
                    let submitted = store.submit(std::slice::from_ref(&new)).await.unwrap().remove(0);
                    if let Submitted::Existing { id, .. } = submitted {
                        return (id, false);
                    }
                    assert_eq!(submitted, Submitted::Inserted);
                }
                (new.id, true)
            });
        }
        let answers = submits.join_all().await;
        let made: Vec<Uuid> = answers.iter().filter(|(_, is_made)| *is_made).map(|(id, _)| *id).collect();
        assert_eq!(made.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(id, _)| *id == made[0]), "{answers:?}");
    }
    assert_eq!(fixture.store.queue_depth().await.unwrap().pending, 5);
}
