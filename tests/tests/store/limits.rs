//! How many may run at once: limits.

use std::collections::HashSet;
use std::sync::Arc;

use muster_core::execution::{Attempt, Status};
use muster_core::limit::{LimitKey, LimitTerms};
use muster_store::{CancelResult, Claim, Claimant, NewExecution, TakeOver};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, new_execution, retry, serving, success};

pub(crate) fn limited<const N: usize>(names: [&str; N]) -> NewExecution {
    NewExecution { limits: names.map(str::to_owned).to_vec(), ..new_execution() }
}

pub(crate) fn of_customer(name: &str, customer: &str) -> NewExecution {
    let new = limited([name]);
    let id = new.id;
    let request =
        format!(r#"{{"execution_id":"{id}","workflow":"greet","parameters":{{"customer":"{customer}"}}}}"#);
    NewExecution { request: crate::fixture::raw(&request), ..new }
}

pub(crate) fn total(most: u32) -> LimitTerms {
    LimitTerms { total: Some(most), ..LimitTerms::default() }
}

pub(crate) fn per_customer(most: u32) -> LimitTerms {
    let key: LimitKey = "parameters.customer".parse().unwrap();
    LimitTerms { per_key: Some(most), key, ..LimitTerms::default() }
}

impl Fixture {
    pub(crate) async fn limit(&self, name: &str, terms: LimitTerms) {
        self.store.set_limit(name, &terms).await.unwrap();
    }

    pub(crate) async fn submit_all(&self, new: &[NewExecution]) {
        self.store.submit(new).await.unwrap();
        // In this order they have waited.
        for (new, seconds) in new.iter().rev().zip(1..) {
            self.age("run_after", new.id, seconds).await;
        }
    }

    pub(crate) async fn claims(&self, me: &Claimant, most: usize) -> Vec<Attempt> {
        let due = self.store.claim_due(me, most, TakeOver::Nothing).await.unwrap();
        due.claimed.into_iter().map(|claimed| claimed.attempt).collect()
    }

    pub(crate) async fn claimed_ids(&self, me: &Claimant) -> Vec<Uuid> {
        self.claims(me, 100).await.into_iter().map(|attempt| attempt.execution_id).collect()
    }

    pub(crate) async fn succeed(&self, me: &Claimant, attempt: Attempt) {
        self.finalize(success(me, attempt)).await;
    }

    pub(crate) async fn waits_for(&self, id: Uuid) -> Option<String> {
        self.row(id).await.waits_for
    }
}

fn ids(new: &[NewExecution]) -> Vec<Uuid> {
    new.iter().map(|new| new.id).collect()
}

pub(crate) async fn rule_3_no_more_run_than_a_limit_says(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(2)).await;
    let all: Vec<_> = (0..5).map(|_| limited(["crm"])).collect();
    fixture.submit_all(&all).await;
    let running = fixture.claims(&me, 100).await;
    assert_eq!(running.iter().map(|it| it.execution_id).collect::<Vec<_>>(), ids(&all[..2]));
    assert!(fixture.claims(&me, 100).await.is_empty());
    assert_eq!(fixture.waits_for(all[2].id).await.as_deref(), Some("limit:crm"));
    // The next one, and no more.
    fixture.succeed(&me, running[0]).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[2].id]);
    assert!(fixture.claims(&me, 100).await.is_empty());
}

pub(crate) async fn rule_3_an_execution_starts_when_all_its_limits_have_room(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(2)).await;
    fixture.limit("mail", total(1)).await;
    let all = [limited(["crm", "mail"]), limited(["mail", "crm"]), limited(["crm"]), limited(["crm"])];
    fixture.submit_all(&all).await;
    let running = fixture.claims(&me, 100).await;
    let started: Vec<_> = running.iter().map(|it| it.execution_id).collect();
    assert_eq!(started, [all[0].id, all[2].id], "what waits for one limit holds no other");
    fixture.succeed(&me, running[0]).await;
    let next: HashSet<_> = fixture.claimed_ids(&me).await.into_iter().collect();
    assert_eq!(next.len(), 1, "crm has one place: {next:?}");
    assert!(next.is_subset(&HashSet::from([all[1].id, all[3].id])));
}

pub(crate) async fn rule_4_each_key_has_its_own_room(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", per_customer(1)).await;
    let all = [of_customer("crm", "a"), of_customer("crm", "a"), of_customer("crm", "b")];
    fixture.submit_all(&all).await;
    let running = fixture.claims(&me, 100).await;
    assert_eq!(running.len(), 2);
    assert_eq!(fixture.waits_for(all[1].id).await.as_deref(), Some("limit:crm:a"));
    let row = fixture.row(all[1].id).await;
    assert_eq!((row.limits[0].name.as_str(), row.limits[0].key.as_str()), ("crm", "a"));
    fixture.succeed(&me, running[1]).await;
    assert!(fixture.claims(&me, 100).await.is_empty(), "that was the other one's room");
    fixture.succeed(&me, running[0]).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[1].id]);
}

pub(crate) async fn rule_5_supervisors_that_claim_at_once_share_a_limit(fixture: Fixture) {
    fixture.limit("crm", total(3)).await;
    let all: Vec<_> = (0..40).map(|_| limited(["crm"])).collect();
    fixture.submit_all(&all).await;
    let mut ended = 0;
    while ended < all.len() {
        let claimants: Vec<Claimant> = (0..4).map(|_| claimant()).collect();
        let polls = claimants.iter().map(|me| fixture.claims(me, 2));
        let running = futures_util::future::join_all(polls).await;
        let count: usize = running.iter().map(Vec::len).sum();
        let counted =
            fixture.texts("SELECT CAST(count(*) AS TEXT) FROM executions WHERE status = 'RUNNING'").await;
        assert!(count <= 3 && counted == [count.to_string()], "{count} run, {counted:?}");
        let ends = claimants
            .iter()
            .zip(&running)
            .flat_map(|(me, running)| running.iter().map(|attempt| fixture.succeed(me, *attempt)));
        ended += futures_util::future::join_all(ends).await.len();
    }
    let left = fixture.texts("SELECT execution_id || '' FROM limit_holders").await;
    assert!(left.is_empty(), "{left:?}");
}

pub(crate) async fn rule_5_a_lost_row_keeps_its_room_while_it_is_taken_over(fixture: Fixture) {
    let (me, other) = (claimant(), claimant());
    fixture.limit("crm", total(1)).await;
    let all = [limited(["crm"]), limited(["crm"])];
    fixture.submit_all(&all).await;
    fixture.claims(&me, 100).await;
    let taken = fixture.take_over(&other).await;
    assert_eq!(taken.iter().map(|it| it.attempt.execution_id).collect::<Vec<_>>(), [all[0].id]);
    assert!(fixture.claims(&other, 100).await.is_empty());
    fixture.succeed(&other, taken[0].attempt).await;
    assert_eq!(fixture.claimed_ids(&other).await, [all[1].id]);
}

pub(crate) async fn rule_5_a_retry_gives_its_room_back_until_it_starts_again(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let all = [limited(["crm"]), limited(["crm"])];
    fixture.submit_all(&all).await;
    let first = fixture.claims(&me, 100).await[0];
    fixture.finalize(retry(&me, first)).await;
    let second = fixture.claims(&me, 100).await;
    assert_eq!(second.len(), 1, "either may start, but not both");
    fixture.succeed(&me, second[0]).await;
    assert_eq!(fixture.claims(&me, 100).await.len(), 1);
}

pub(crate) async fn rule_5_the_sweep_puts_right_what_a_crash_left(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let all: Vec<_> = (0..3).map(|_| limited(["crm"])).collect();
    fixture.submit_all(&all).await;
    assert_eq!(fixture.store.sweep_limits().await.unwrap().let_go, 0);
    fixture.claims(&me, 100).await;
    assert_eq!(fixture.store.sweep_limits().await.unwrap(), muster_store::LimitSweep::default());
    // An outcome without what follows it.
    let end = format!(
        "UPDATE executions SET status = 'SUCCESS', completed_at = created_at WHERE id = '{}'",
        all[0].id
    );
    fixture.sql(&end).await;
    assert!(fixture.claims(&me, 100).await.is_empty());
    assert_eq!(fixture.store.sweep_limits().await.unwrap().struck, 1);
    assert_eq!(fixture.claimed_ids(&me).await, [all[1].id]);
    // What an earlier version claimed.
    fixture.sql("DELETE FROM limit_holders").await;
    assert_eq!(fixture.store.sweep_limits().await.unwrap().noted, 1);
    assert!(fixture.claims(&me, 100).await.is_empty());
    // Nobody was told that there is room.
    fixture.sql("UPDATE limits SET total = 2").await;
    assert_eq!(fixture.store.sweep_limits().await.unwrap().let_go, 1);
    assert_eq!(fixture.claimed_ids(&me).await, [all[2].id]);
}

/// More keys wait than one sweep looks at, none of them has room, and the one that has comes after all of them.
pub(crate) async fn rule_5_the_sweep_comes_to_everybody_however_many_have_no_room(fixture: Fixture) {
    const KEYS: usize = 10_050;
    fixture.limit("a", per_customer(0)).await;
    fixture.limit("b", total(1)).await;
    let customers: Vec<NewExecution> =
        (0..KEYS).map(|number| of_customer("a", &format!("{number:05}"))).collect();
    for group in customers.chunks(1_000) {
        fixture.store.submit(group).await.unwrap();
    }
    let waits = limited(["b"]);
    fixture.store.submit(std::slice::from_ref(&waits)).await.unwrap();
    // What claims did to them, and whoever should have let the last one go is dead.
    fixture.sql("UPDATE executions SET waits_for = 'limit:a:' || CAST(id AS TEXT)").await;
    fixture.sql(&format!("UPDATE executions SET waits_for = 'limit:b' WHERE id = '{}'", waits.id)).await;
    let mut let_go = 0;
    for _ in 0..2 {
        let_go += fixture.store.sweep_limits().await.unwrap().let_go;
    }
    assert_eq!(let_go, 1);
    assert_eq!(fixture.claimed_ids(&claimant()).await, [waits.id]);

    // A change of the limit lets all of them go, whoever comes last among them.
    let last = customers.iter().map(|new| new.id).max().unwrap();
    fixture
        .sql("UPDATE executions SET waits_for = 'limit:a:' || CAST(id AS TEXT) WHERE status = 'PENDING'")
        .await;
    fixture.limit("a", LimitTerms { per_key: None, ..per_customer(0) }).await;
    let row = fixture.row(last).await;
    assert_eq!(row.waits_for, None, "{row:?}");
}

pub(crate) async fn rule_7_what_stands_behind_others_is_never_looked_at(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let first: Vec<_> = (0..3).map(|_| limited(["crm"])).collect();
    fixture.submit_all(&first).await;
    let running = fixture.claims(&me, 100).await;
    let late = limited(["crm"]);
    fixture.store.submit(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(fixture.waits_for(late.id).await.as_deref(), Some("limit:crm"));
    // Where they wait there is room for the first of them, once the one that runs is over; a cancel of it makes room for
    // the next.
    fixture.succeed(&me, running[0]).await;
    let cancelled = fixture.store.request_cancel(first[1].id).await.unwrap();
    assert_eq!(cancelled, CancelResult::Cancelled);
    assert_eq!(fixture.claimed_ids(&me).await, [first[2].id]);
    assert_eq!(fixture.waits_for(late.id).await.as_deref(), Some("limit:crm"));
}

pub(crate) async fn rule_7_what_waits_for_room_does_not_stand_before_others(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(0)).await;
    let many: Vec<_> = (0..600).map(|_| limited(["crm"])).collect();
    fixture.store.submit(&many).await.unwrap();
    let other = new_execution();
    fixture.store.submit(std::slice::from_ref(&other)).await.unwrap();
    assert_eq!(fixture.claims(&me, 1).await.len(), 1, "though one slot is free and 600 were there before");
    assert_eq!(fixture.status(other.id).await, Status::Running);
}

pub(crate) async fn rule_7_each_queue_has_its_next(fixture: Fixture) {
    fixture.limit("crm", total(1)).await;
    let unserved = NewExecution { queue: Some("nobody".to_owned()), ..limited(["crm"]) };
    let me = claimant();
    let mine = [limited(["crm"]), limited(["crm"])];
    fixture.submit_all(&[mine[0].clone(), unserved.clone(), mine[1].clone()]).await;
    let running = fixture.claims(&me, 100).await;
    // It is found there, and stands in nobody's way here.
    assert!(fixture.claims(&serving(["nobody"]), 100).await.is_empty());
    fixture.succeed(&me, running[0]).await;
    assert_eq!(fixture.claimed_ids(&me).await, [mine[1].id]);
}

pub(crate) async fn rule_8_a_limit_changes_while_others_run(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let all: Vec<_> = (0..5).map(|_| limited(["crm"])).collect();
    fixture.submit_all(&all).await;
    let mut running = fixture.claims(&me, 100).await;
    fixture.limit("crm", total(3)).await;
    running.extend(fixture.claims(&me, 100).await);
    assert_eq!(running.len(), 3, "raised: they start at once");
    fixture.limit("crm", total(2)).await;
    assert_eq!(fixture.status(all[2].id).await, Status::Running, "lowered: nothing is cancelled");
    fixture.succeed(&me, running[0]).await;
    assert!(fixture.claims(&me, 100).await.is_empty());
    assert!(fixture.store.remove_limit("crm").await.unwrap());
    assert_eq!(fixture.claims(&me, 100).await.len(), 2, "removed: nothing waits");
    assert!(!fixture.store.remove_limit("crm").await.unwrap());
}

pub(crate) async fn rule_9_a_message_with_limits_becomes_a_row(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let (new, plain) = (Arc::new(limited(["crm"])), Arc::new(new_execution()));
    let claims = fixture.store.claim(&me, &[new.clone(), plain]).await.unwrap();
    assert!(
        matches!(claims[..], [Claim::Elsewhere(Status::Pending), Claim::Claimed(_)]),
        "it is acknowledged, and the poll decides: {claims:?}"
    );
    // A message that says no more than the id takes nothing past the limit.
    let minimal = Arc::new(NewExecution { limits: Vec::new(), ..(*new).clone() });
    let claims = fixture.store.claim(&me, &[minimal]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Elsewhere(Status::Pending)]), "{claims:?}");
    assert_eq!(fixture.claimed_ids(&me).await, [new.id]);
}

pub(crate) async fn rule_17_who_waits_for_a_limit_is_told_for_what(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", per_customer(1)).await;
    let all = [of_customer("crm", "a"), of_customer("crm", "a"), of_customer("crm", "a")];
    fixture.submit_all(&all).await;
    fixture.claims(&me, 100).await;
    let wait = fixture.store.limit_wait(&fixture.row(all[2].id).await).await.unwrap().unwrap();
    assert_eq!((wait.name.as_str(), wait.key.as_deref()), ("crm", Some("a")));
    assert_eq!((wait.most, wait.running, wait.before), (Some(1), 1, 1));
    assert_eq!(wait.holders, [all[0].id]);
    let uses = fixture.store.limit_uses().await.unwrap();
    assert_eq!((uses[0].name.as_str(), uses[0].running, uses[0].waiting), ("crm", 1, 2));
    assert_eq!(fixture.store.limit_wait(&fixture.row(all[0].id).await).await.unwrap(), None);
}
