//! Who may run what: queues.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::Status;
use muster_store::{Claim, Claimant, NewExecution, TakeOver};
use uuid::Uuid;

use crate::fixture::{Fixture, QUEUE, claimant, new_execution, serving};

fn in_queue(queue: &str) -> NewExecution {
    NewExecution { queue: Some(queue.to_owned()), ..new_execution() }
}

async fn due(fixture: &Fixture, claimant: &Claimant) -> Vec<Uuid> {
    let due = fixture.store.claim_due(claimant, 100, TakeOver::Nothing).await.unwrap();
    due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect()
}

pub(crate) async fn a_supervisor_claims_only_what_waits_in_its_queues(fixture: Fixture) {
    let (python, javascript) = (in_queue("python"), in_queue("javascript"));
    // As an earlier version writes it.
    let nameless = NewExecution { queue: None, ..new_execution() };
    fixture.store.submit(&[python.clone(), javascript.clone(), nameless.clone()]).await.unwrap();
    assert_eq!(due(&fixture, &serving(["javascript"])).await, [javascript.id, nameless.id]);
    assert!(due(&fixture, &serving(["javascript", "third"])).await.is_empty());
    let claimed =
        fixture.store.claim_due(&serving(["third", "python"]), 100, TakeOver::Nothing).await.unwrap();
    let queue = claimed.claimed.first().unwrap().execution.queue.clone();
    assert_eq!(queue.as_deref(), Some("python"), "its children and retries stay there");
    assert_eq!(fixture.row(python.id).await.queue.as_deref(), Some("python"));
}

pub(crate) async fn the_queues_are_read_in_one_order(fixture: Fixture) {
    let mixed = ["a", "b", "a", "b"].map(in_queue);
    fixture.store.submit(&mixed).await.unwrap();
    for (new, seconds) in mixed.iter().zip([40, 30, 20, 10]) {
        fixture.age("run_after", new.id, seconds).await;
    }
    let me = serving(["a", "b"]);
    let first = fixture.store.claim_due(&me, 3, TakeOver::Nothing).await.unwrap();
    let order: Vec<Uuid> = first.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect();
    assert_eq!(order, mixed[..3].iter().map(|new| new.id).collect::<Vec<_>>());
}

pub(crate) async fn a_message_for_another_queue_becomes_a_row(fixture: Fixture) {
    let (here, there) = (Arc::new(new_execution()), Arc::new(in_queue("elsewhere")));
    let claims =
        fixture.store.claim(&claimant(), &[there.clone(), here.clone(), there.clone()]).await.unwrap();
    assert!(
        matches!(&claims[..], [Claim::Elsewhere(Status::Pending), Claim::Claimed(ours), Claim::Elsewhere(Status::Pending)]
            if ours.attempt.execution_id == here.id),
        "{claims:?}"
    );
    assert_eq!(due(&fixture, &serving(["elsewhere"])).await, [there.id]);
    // A message that says no more than the id does not move the row.
    let row = in_queue("elsewhere");
    fixture.store.submit(std::slice::from_ref(&row)).await.unwrap();
    let minimal = Arc::new(NewExecution { queue: Some(QUEUE.to_owned()), ..row });
    let claims = fixture.store.claim(&claimant(), &[minimal]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Elsewhere(Status::Pending)]), "{claims:?}");
}

pub(crate) async fn what_is_lost_is_taken_over_by_those_who_serve_its_queue(fixture: Fixture) {
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    assert!(fixture.take_over(&serving(["elsewhere"])).await.is_empty());
    let taken = fixture.take_over(&claimant()).await;
    assert_eq!(taken.iter().map(|claimed| claimed.attempt.execution_id).collect::<Vec<_>>(), [id]);
}

pub(crate) async fn another_queues_row_is_not_due_here(fixture: Fixture) {
    let soon = NewExecution { delay: Duration::from_secs(5), ..in_queue("elsewhere") };
    let later = NewExecution { delay: Duration::from_secs(3600), ..new_execution() };
    fixture.store.submit(&[soon, later]).await.unwrap();
    let wait = fixture.store.next_due(&claimant().queues).await.unwrap().expect("a due time");
    assert!(wait > Duration::from_secs(3590), "{wait:?}");
    assert_eq!(fixture.store.next_due(&serving(["third"]).queues).await.unwrap(), None);
}

pub(crate) async fn those_that_go_before_a_row_are_counted(fixture: Fixture) {
    let [first, second, third] = [(); 3].map(|()| new_execution());
    let urgent = NewExecution { priority: 9, ..new_execution() };
    let later = NewExecution { delay: Duration::from_secs(60), ..new_execution() };
    let all = [first.clone(), second.clone(), third.clone(), urgent, later, in_queue("elsewhere")];
    fixture.store.submit(&all).await.unwrap();
    fixture.age("run_after", first.id, 20).await;
    fixture.age("run_after", second.id, 10).await;
    assert_eq!(fixture.store.ahead(first.id).await.unwrap(), 1, "the urgent one");
    assert_eq!(fixture.store.ahead(third.id).await.unwrap(), 3);
    assert_eq!(fixture.store.ahead(Uuid::nil()).await.unwrap(), 0);
    due(&fixture, &claimant()).await;
    assert_eq!(fixture.store.ahead(third.id).await.unwrap(), 0, "it does not wait");
}
