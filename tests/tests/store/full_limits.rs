//! What becomes of an execution that comes when a limit is full, and does not wait.

use std::time::Duration;

use muster_core::execution::{Attempt, Status};
use muster_core::limit::{LimitTerms, OnFull};
use muster_store::{Displaced, Finalization, NewExecution, RequestedCancel, Submitted};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, retry, success};
use crate::limits::{limited, of_customer, per_customer, total};

fn on_full(on_full: OnFull, terms: LimitTerms) -> LimitTerms {
    LimitTerms { on_full, ..terms }
}

impl Fixture {
    /// The last of these was submitted last.
    async fn submit_one(&self, new: &NewExecution) -> Submitted {
        let answer = self.store.submit(std::slice::from_ref(new)).await.unwrap();
        answer.into_iter().next().unwrap()
    }

    async fn is(&self, id: Uuid, status: Status, error_type: Option<&str>) {
        let row = self.row(id).await;
        assert_eq!((row.status, row.error_type.as_deref()), (status, error_type), "{row:?}");
    }
}

pub(crate) async fn rule_6_whoever_comes_to_a_full_limit_is_refused_or_fails(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", on_full(OnFull::Reject, total(1))).await;
    let first = limited(["crm"]).refusable();
    assert_eq!(fixture.submit_one(&first).await, Submitted::Inserted);
    // It waits still, and counts.
    let second = limited(["crm"]).refusable();
    let full = Submitted::LimitReached { limit: "crm".to_owned(), holder: Some(first.id) };
    assert_eq!(fixture.submit_one(&second).await, full);
    assert!(fixture.store.execution(second.id).await.unwrap().is_none());
    assert_eq!(
        fixture.submit_one(&first).await,
        Submitted::Exists(Status::Pending),
        "what is there is no second one"
    );
    // A message has nobody who could be told: its row says it.
    let message = limited(["crm"]);
    assert_eq!(fixture.submit_one(&message).await, Submitted::Inserted);
    fixture.is(message.id, Status::Failed, Some("LimitReached")).await;
    let said = fixture.row(message.id).await.error_message.unwrap();
    assert!(said.contains("\"crm\"") && said.contains(&first.id.to_string()), "{said}");
    assert_eq!(fixture.event_names(message.id).await, ["finalized"]);
    assert_eq!(fixture.store.displaced().await, [Displaced::Over(message.id)]);
    let attempt = fixture.claims(&me, 10).await.pop().unwrap();
    assert_eq!(attempt.execution_id, first.id);
    assert_eq!(fixture.submit_one(&second).await, full);
    fixture.succeed(&me, attempt).await;
    assert_eq!(fixture.submit_one(&second).await, Submitted::Inserted);
    fixture.store.request_cancel(second.id).await.unwrap();
    assert_eq!(fixture.submit_one(&limited(["crm"]).refusable()).await, Submitted::Inserted);
}

pub(crate) async fn rule_6_of_many_that_come_at_once_so_many_are_let_in(fixture: Fixture) {
    fixture.limit("crm", on_full(OnFull::Reject, per_customer(2))).await;
    let all: Vec<NewExecution> = (0..24).map(|_| of_customer("crm", "a").refusable()).collect();
    let others = of_customer("crm", "b").refusable();
    // Each comes to a supervisor of its own.
    let mut submits = Vec::new();
    for group in all.chunks(4) {
        let (store, group) = (fixture.another_store().await, group.to_vec());
        submits.push(async move { store.submit(&group).await });
    }
    let answers = futures_util::future::join_all(submits).await;
    let answers: Vec<Submitted> = answers.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| **answer == Submitted::Inserted).count(), 2, "{answers:?}");
    assert_eq!(fixture.submit_one(&others).await, Submitted::Inserted);
    let (me, mut ends) = (claimant(), 0);
    for attempt in fixture.claims(&me, 10).await {
        fixture.succeed(&me, attempt).await;
        ends += 1;
    }
    assert_eq!(ends, 3);
    let left = fixture.texts("SELECT execution_id || '' FROM limit_holders").await;
    assert!(left.is_empty(), "{left:?}");
}

pub(crate) async fn rule_6_whoever_tries_again_keeps_its_place(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", on_full(OnFull::Reject, total(1))).await;
    let first = limited(["crm"]).refusable();
    fixture.submit_one(&first).await;
    let attempt = fixture.claims(&me, 10).await.pop().unwrap();
    fixture.finalize(retry(&me, attempt)).await;
    fixture.is(first.id, Status::Pending, None).await;
    fixture.store.sweep_limits().await.unwrap();
    let second = limited(["crm"]).refusable();
    assert!(matches!(fixture.submit_one(&second).await, Submitted::LimitReached { .. }));
    let attempt = fixture.claims(&me, 10).await.pop().unwrap();
    assert_eq!(attempt.number, 2);
    fixture.succeed(&me, attempt).await;
    assert_eq!(fixture.submit_one(&second).await, Submitted::Inserted);
}

pub(crate) async fn rule_6_the_newest_takes_the_place_of_one_that_waits(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", on_full(OnFull::Replace, total(1))).await;
    let all: Vec<NewExecution> = (0..4).map(|_| limited(["crm"])).collect();
    fixture.submit_one(&all[0]).await;
    let running = fixture.claims(&me, 10).await.pop().unwrap();
    fixture.submit_one(&all[1]).await;
    assert!(fixture.claims(&me, 10).await.is_empty());
    // Within one group the last one counts.
    fixture.store.submit(&all[2..]).await.unwrap();
    for older in &all[1..3] {
        fixture.is(older.id, Status::Cancelled, Some("Superseded")).await;
    }
    assert_eq!(fixture.store.displaced().await.len(), 2);
    fixture.is(all[0].id, Status::Running, None).await;
    fixture.succeed(&me, running).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[3].id]);
}

pub(crate) async fn rule_6_the_newest_has_the_running_one_cancelled(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", on_full(OnFull::CancelRunning, total(1))).await;
    let all: Vec<NewExecution> = (0..3).map(|_| limited(["crm"])).collect();
    fixture.submit_one(&all[0]).await;
    let running = fixture.claims(&me, 10).await.pop().unwrap();
    fixture.submit_one(&all[1]).await;
    assert!(fixture.row(all[0].id).await.cancel_requested_at.is_some());
    assert_eq!(fixture.event_names(all[0].id).await, ["claimed", "cancel_requested"]);
    let asked = fixture.store.events(all[0].id).await.unwrap().pop().unwrap().detail.unwrap();
    let reason = format!("execution {} came to limit \"crm\" after it", all[1].id);
    assert_eq!(serde_json::from_str::<Value>(asked.get()).unwrap(), json!({"reason": reason}));
    let asked = Displaced::Asked { attempt: running, owner: me.owner, reason: reason.clone() };
    assert_eq!(fixture.store.displaced().await, [asked]);
    let renewal = fixture.store.renew(&me, &[running]).await.unwrap();
    assert_eq!(renewal.cancel_requested, [RequestedCancel { attempt: running, reason: Some(reason) }]);
    fixture.submit_one(&all[2]).await;
    fixture.is(all[1].id, Status::Cancelled, Some("Superseded")).await;
    assert!(fixture.claims(&me, 10).await.is_empty(), "the running one has its room until it is over");
    fixture.succeed(&me, running).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[2].id]);
}

pub(crate) async fn rule_6_what_a_claim_takes_as_a_newer_one_comes_is_asked_to_end(fixture: Fixture) {
    let (me, other) = (claimant(), fixture.another_store().await);
    for (on_full, most) in [(OnFull::CancelRunning, 1), (OnFull::Replace, 2)] {
        fixture.limit("crm", self::on_full(on_full, total(most))).await;
        for round in 0..15 {
            let all: Vec<NewExecution> = (0..4).map(|_| limited(["crm"])).collect();
            fixture.store.submit(&all[..most as usize]).await.unwrap();
            let newer = &all[most as usize..];
            let (answers, _) = tokio::join!(
                async {
                    (other.submit(&newer[..1]).await.unwrap(), other.submit(&newer[1..]).await.unwrap())
                },
                fixture.claims(&me, 10),
            );
            assert!([answers.0, answers.1].iter().flatten().all(|answer| *answer == Submitted::Inserted));
            let (mut running, mut asked, mut waiting) = (Vec::new(), 0, 0);
            for new in &all {
                let row = fixture.row(new.id).await;
                match row.status {
                    Status::Running => {
                        asked += u32::from(row.cancel_requested_at.is_some());
                        running.push(Attempt::new(row.id, row.attempt));
                    }
                    Status::Pending => waiting += 1,
                    Status::Success | Status::Failed | Status::Timeout | Status::Cancelled => {
                        assert_eq!(row.error_type.as_deref(), Some("Superseded"), "{row:?}")
                    }
                }
            }
            let runs = u32::try_from(running.len()).unwrap();
            let there =
                format!("{on_full:?} in round {round}: {runs} run, {asked} are asked, {waiting} wait");
            match on_full {
                OnFull::CancelRunning => assert!(runs - asked + waiting == most, "{there}"),
                OnFull::Wait | OnFull::Reject | OnFull::Replace => {
                    assert!(asked == 0 && runs + waiting <= most + 1, "{there}")
                }
            }
            for attempt in running {
                fixture.succeed(&me, attempt).await;
            }
            while let Some(attempt) = fixture.claims(&me, 1).await.pop() {
                fixture.succeed(&me, attempt).await;
            }
        }
    }
}

pub(crate) async fn rule_6_a_child_that_finds_a_limit_full_fails(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", on_full(OnFull::Reject, total(1))).await;
    let parent = fixture.claimed(&me).await.attempt;
    let children: Vec<NewExecution> = (0..2).map(|_| limited(["crm"])).collect();
    fixture.finalize(Finalization { children: children.clone(), ..success(&me, parent) }).await;
    fixture.is(parent.execution_id, Status::Success, None).await;
    fixture.is(children[0].id, Status::Pending, None).await;
    fixture.is(children[1].id, Status::Failed, Some("LimitReached")).await;
}

pub(crate) async fn rule_6_what_is_to_start_later_has_its_place(fixture: Fixture) {
    fixture.limit("crm", on_full(OnFull::Replace, total(1))).await;
    let later = |_| NewExecution { delay: Duration::from_secs(3600), ..limited(["crm"]) };
    let all: Vec<NewExecution> = (0..3).map(later).collect();
    for new in &all {
        fixture.submit_one(new).await;
    }
    fixture.is(all[0].id, Status::Cancelled, Some("Superseded")).await;
    fixture.is(all[2].id, Status::Pending, None).await;
}
