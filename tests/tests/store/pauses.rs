//! Pauses: nothing new starts, what runs goes on, and what waited comes back in its order.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_core::execution::Status;
use muster_core::limit::LimitTerms;
use muster_store::{Claim, Claimant, NewExecution, PauseTarget, TakeOver};
use muster_supervisor::api::{ReasonKind, ReasonView};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, new_execution, retry, serving, success};

const ACME: Uuid = Uuid::from_u128(0xac3e);

fn of_workflow(name: &str) -> NewExecution {
    NewExecution { workflow_name: Some(name.to_owned()), ..new_execution() }
}

fn of_organization(id: Uuid) -> NewExecution {
    NewExecution { organization_id: Some(id), ..new_execution() }
}

fn in_queue(name: &str) -> NewExecution {
    NewExecution { queue: Some(name.to_owned()), ..new_execution() }
}

fn target(text: &str) -> PauseTarget {
    text.parse().unwrap()
}

impl Fixture {
    async fn pause(&self, text: &str) {
        self.store.pause(&target(text), "anna", Some("the CRM is away")).await.unwrap();
    }

    async fn resume(&self, text: &str) {
        assert!(self.store.resume(&target(text), "anna").await.unwrap(), "{text} was paused");
        while self.store.let_go_resumed().await.unwrap() > 0 {}
    }

    /// What whoever hears of a pause does about rows that wait.
    async fn park(&self) {
        for target in self.store.newly_paused() {
            let mut behind = None;
            while let Some(place) = self.store.park_paused(&target, behind).await.unwrap() {
                behind = Some(place);
            }
        }
    }

    async fn reasons(&self, me: &Claimant, id: Uuid) -> Vec<ReasonView> {
        let record = self.row(id).await;
        muster_supervisor::service::reasons_of(&*self.store, me, &record).await.unwrap()
    }

    async fn submit_in_order(&self, new: &[NewExecution]) {
        self.store.submit(new).await.unwrap();
        for (new, seconds) in new.iter().rev().zip(1..) {
            self.age("run_after", new.id, seconds).await;
        }
    }

    async fn started(&self, me: &Claimant) -> Vec<Uuid> {
        let due = self.store.claim_due(me, 100, TakeOver::Nothing).await.unwrap();
        due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect()
    }

    async fn kept_by(&self, id: Uuid) -> Option<String> {
        self.row(id).await.waits_for
    }
}

fn ids(new: &[NewExecution]) -> Vec<Uuid> {
    new.iter().map(|new| new.id).collect()
}

pub(crate) async fn rule_16_nothing_starts_of_what_is_paused_and_all_else_does(fixture: Fixture) {
    let me = serving(["fast", "slow"]);
    let acme = format!("organization:{ACME}");
    for (paused, kept, free) in [
        ("queue:slow", in_queue("slow"), in_queue("fast")),
        (
            "workflow:report",
            NewExecution { queue: Some("fast".to_owned()), ..of_workflow("report") },
            in_queue("fast"),
        ),
        (
            acme.as_str(),
            NewExecution { queue: Some("slow".to_owned()), ..of_organization(ACME) },
            in_queue("slow"),
        ),
    ] {
        fixture.submit_in_order(&[kept.clone(), free.clone()]).await;
        fixture.pause(paused).await;
        assert_eq!(fixture.started(&me).await, [free.id], "{paused}");
        assert!(fixture.started(&me).await.is_empty(), "{paused}");
        assert_eq!(
            fixture.store.next_due(&me.queues).await.unwrap(),
            None,
            "nothing is due while it is paused"
        );
        fixture.resume(paused).await;
        assert_eq!(fixture.started(&me).await, [kept.id], "{paused}");
    }
    let all = [in_queue("fast"), of_workflow("report"), of_organization(ACME)];
    let all = all.map(|new| NewExecution { queue: Some("fast".to_owned()), ..new });
    fixture.submit_in_order(&all).await;
    fixture.pause("all").await;
    assert!(fixture.started(&me).await.is_empty());
    fixture.resume("all").await;
    assert_eq!(fixture.started(&me).await.len(), all.len());
}

pub(crate) async fn rule_16_a_message_of_what_is_paused_becomes_a_row(fixture: Fixture) {
    let me = claimant();
    for paused in ["all", "queue:tests", "workflow:greet"] {
        fixture.pause(paused).await;
        let new = Arc::new(new_execution());
        let claims = fixture.store.claim(&me, &[Arc::clone(&new)]).await.unwrap();
        assert!(matches!(claims[..], [Claim::Elsewhere(Status::Pending)]), "{paused}: {claims:?}");
        fixture.resume(paused).await;
        assert_eq!(fixture.started(&me).await, [new.id], "{paused}");
    }
}

pub(crate) async fn rule_16_what_runs_goes_on_and_its_retry_waits(fixture: Fixture) {
    let me = claimant();
    let running = fixture.claimed(&me).await.attempt;
    let other = fixture.claimed(&me).await.attempt;
    fixture.pause("workflow:greet").await;
    fixture.finalize(success(&me, running)).await;
    assert_eq!(fixture.status(running.execution_id).await, Status::Success);
    fixture.finalize(retry(&me, other)).await;
    assert!(fixture.started(&me).await.is_empty());
    assert_eq!(fixture.kept_by(other.execution_id).await.as_deref(), Some("pause:workflow:greet"));
    fixture.resume("workflow:greet").await;
    assert_eq!(fixture.started(&me).await, [other.execution_id]);
}

pub(crate) async fn rule_16_what_waited_comes_back_in_its_order(fixture: Fixture) {
    let me = claimant();
    let before: Vec<_> = (0..6).map(|_| of_workflow("report")).collect();
    fixture.submit_in_order(&before).await;
    fixture.pause("workflow:report").await;
    let meanwhile = of_workflow("report");
    fixture.store.submit(std::slice::from_ref(&meanwhile)).await.unwrap();
    assert_eq!(
        fixture.kept_by(meanwhile.id).await.as_deref(),
        Some("pause:workflow:report"),
        "from the beginning"
    );
    fixture.park().await;
    for new in &before {
        assert_eq!(fixture.kept_by(new.id).await.as_deref(), Some("pause:workflow:report"));
    }
    assert!(fixture.store.newly_paused().is_empty(), "told once");
    fixture.resume("workflow:report").await;
    let mut expected = ids(&before);
    expected.push(meanwhile.id);
    assert_eq!(fixture.started(&me).await, expected);
}

/// Between the end of a pause and the moment at which rows are back in the claim nothing is told that is not so.
pub(crate) async fn rule_17_what_was_resumed_is_counted_and_says_so(fixture: Fixture) {
    let me = claimant();
    let rows: Vec<_> = (0..18).map(|_| of_workflow("report")).collect();
    fixture.pause("workflow:report").await;
    // All in one transaction, so that they are equally old.
    fixture.store.submit(&rows).await.unwrap();
    let [.., before_last, last] = rows.as_slice() else { panic!("{rows:?}") };
    let told = fixture.reasons(&me, last.id).await;
    assert_eq!((told[0].kind, told[0].is_blocking), (ReasonKind::Paused, true), "{told:?}");
    // Another process ended it, and this one has heard of it: nobody let go anything yet.
    fixture.sql("DELETE FROM pauses").await;
    fixture.store.pauses().await.unwrap();
    assert_eq!(fixture.kept_by(last.id).await.as_deref(), Some("pause:workflow:report"));
    let told = fixture.reasons(&me, last.id).await;
    assert_eq!((told[0].kind, told[0].is_blocking), (ReasonKind::Paused, false), "{told:?}");
    assert_eq!(fixture.store.ahead(last.id).await.unwrap(), 17);
    assert_eq!(fixture.store.ahead(rows[0].id).await.unwrap(), 0);
    // Some are back in the claim, and some are not.
    fixture.sql(&format!("UPDATE executions SET waits_for = NULL WHERE id <> '{}'", before_last.id)).await;
    assert_eq!(fixture.store.ahead(last.id).await.unwrap(), 17);
    assert_eq!(fixture.store.ahead(before_last.id).await.unwrap(), 16);
    assert_eq!(fixture.store.let_go_resumed().await.unwrap(), 1);
    assert_eq!(fixture.store.ahead(last.id).await.unwrap(), 17);
    assert_eq!(fixture.started(&me).await.len(), 18);
    assert_eq!(fixture.store.ahead(last.id).await.unwrap(), 0);

    // Whoever ends a pause lets go what waited for it.
    let first = of_workflow("report");
    fixture.pause("workflow:report").await;
    fixture.store.submit(std::slice::from_ref(&first)).await.unwrap();
    assert!(fixture.store.resume(&target("workflow:report"), "anna").await.unwrap());
    assert_eq!(fixture.kept_by(first.id).await, None);
    assert_eq!(fixture.started(&me).await, [first.id]);
}

pub(crate) async fn rule_16_what_was_resumed_is_found_however_much_else_is_paused(fixture: Fixture) {
    const PAUSED: u128 = 1_005;
    let me = claimant();
    let organizations: Vec<NewExecution> =
        (1..=PAUSED).map(|number| of_organization(Uuid::from_u128(number))).collect();
    let report = of_workflow("report");
    fixture.store.submit(&organizations).await.unwrap();
    fixture.store.submit(std::slice::from_ref(&report)).await.unwrap();
    fixture
        .sql(
            "UPDATE executions SET waits_for = 'pause:organization:' || CAST(organization_id AS TEXT);
             UPDATE executions SET waits_for = 'pause:workflow:report' WHERE organization_id IS NULL",
        )
        .await;
    let since = fixture.moment("1700000000");
    fixture
        .sql(&format!(
            "INSERT INTO pauses (kind, name, who, since)
             SELECT 'organization', CAST(organization_id AS TEXT), 'anna', {since} FROM executions WHERE organization_id IS NOT NULL"
        ))
        .await;
    fixture.store.pauses().await.unwrap();
    assert_eq!(fixture.store.let_go_resumed().await.unwrap(), 1);
    assert_eq!(fixture.started(&me).await, [report.id]);
}

pub(crate) async fn rule_16_a_pause_is_seen_by_others_and_by_whoever_starts_later(fixture: Fixture) {
    let other = fixture.another_store().await;
    let me = claimant();
    let new = [of_workflow("report"), of_organization(ACME)];
    fixture.submit_in_order(&new).await;
    for paused in ["workflow:report", "organization:00000000-0000-0000-0000-00000000ac3e"] {
        fixture.pause(paused).await;
    }
    // It has never claimed before, and reads first.
    let due = other.claim_due(&me, 100, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.is_empty());
    assert_eq!(other.newly_paused().len(), 2, "it, too, takes rows out of the claim");
    let pauses = other.pauses().await.unwrap();
    let told: Vec<_> =
        pauses.iter().map(|pause| (pause.called(), pause.who.clone(), pause.why.clone())).collect();
    assert_eq!(told[0].0, "workflow:report");
    assert_eq!((told[1].1.as_str(), told[1].2.as_deref()), ("anna", Some("the CRM is away")));
    // One who has not heard of the end looks before it puts anything aside, be it what waits or what comes new.
    fixture.resume("workflow:report").await;
    assert_eq!(other.known_pauses().iter().count(), 2, "it has not heard");
    let report = of_workflow("report");
    other.submit(std::slice::from_ref(&report)).await.unwrap();
    assert_eq!(fixture.kept_by(report.id).await, None);
    let due = other.claim_due(&me, 100, TakeOver::Nothing).await.unwrap();
    let started: BTreeSet<Uuid> = due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect();
    assert_eq!(started, BTreeSet::from([new[0].id, report.id]));
    // Two pauses of one row are two.
    let both = NewExecution { organization_id: Some(ACME), ..of_workflow("report") };
    fixture.pause("workflow:report").await;
    fixture.store.submit(std::slice::from_ref(&both)).await.unwrap();
    fixture.resume("workflow:report").await;
    assert!(fixture.started(&me).await.is_empty());
    assert_eq!(fixture.kept_by(both.id).await.unwrap(), format!("pause:organization:{ACME}"));
}

pub(crate) async fn rule_16_what_a_dead_supervisor_ran_waits_for_the_end_of_the_pause(fixture: Fixture) {
    let (me, heir) = (claimant(), claimant());
    for paused in ["all", "queue:tests", "workflow:greet"] {
        let lost = fixture.claimed(&me).await.attempt;
        fixture.pause(paused).await;
        let due = fixture.store.claim_due(&heir, 100, TakeOver::AllOthers).await.unwrap();
        assert!(due.claimed.is_empty(), "{paused}");
        let row = fixture.row(lost.execution_id).await;
        assert_eq!((row.status, row.lease_owner, row.attempt), (Status::Pending, None, 1), "{paused}");
        assert_eq!(fixture.event_names(lost.execution_id).await, ["claimed", "lost"]);
        // What its supervisor says of it now is too late.
        fixture.finalize(success(&me, lost)).await;
        assert_eq!(fixture.status(lost.execution_id).await, Status::Pending, "{paused}");
        fixture.resume(paused).await;
        assert_eq!(fixture.started(&heir).await, [lost.execution_id], "{paused}");
        fixture.finalize(success(&heir, muster_core::execution::Attempt::new(lost.execution_id, 2))).await;
    }
}

pub(crate) async fn rule_16_a_pause_keeps_no_room_in_a_limit(fixture: Fixture) {
    let me = claimant();
    fixture.store.set_limit("crm", &LimitTerms { total: Some(1), ..LimitTerms::default() }).await.unwrap();
    let limited = |new: NewExecution| NewExecution { limits: vec!["crm".to_owned()], ..new };
    let mut all: Vec<_> = (0..5).map(|_| limited(of_workflow("report"))).collect();
    all.push(limited(new_execution()));
    fixture.submit_in_order(&all).await;
    let running = fixture.store.claim_due(&me, 100, TakeOver::Nothing).await.unwrap().claimed;
    assert_eq!(running[0].attempt.execution_id, all[0].id);
    assert_eq!(fixture.kept_by(all[5].id).await.as_deref(), Some("limit:crm"));
    fixture.pause("workflow:report").await;
    fixture.finalize(success(&me, running[0].attempt)).await;
    // Those who go first in the limit are paused: their turn is the next one's.
    assert_eq!(fixture.started(&me).await, [all[5].id]);
    fixture.park().await;
    let waits = "pause:workflow:report".to_owned();
    for new in &all[1..5] {
        assert_eq!(fixture.kept_by(new.id).await, Some(waits.clone()));
    }
    fixture.finalize(success(&me, muster_core::execution::Attempt::new(all[5].id, 1))).await;
    fixture.resume("workflow:report").await;
    assert_eq!(fixture.started(&me).await, [all[1].id]);
}

pub(crate) async fn rule_16_who_paused_what_is_among_the_changes(fixture: Fixture) {
    fixture.pause("queue:slow").await;
    let first = fixture.store.pauses().await.unwrap().iter().next().unwrap().since;
    fixture.store.pause(&target("queue:slow"), "bert", None).await.unwrap();
    let pauses = fixture.store.pauses().await.unwrap();
    let pause = pauses.iter().next().unwrap();
    assert_eq!((pause.who.as_str(), pause.why.as_deref(), pause.since), ("bert", None, first));
    fixture.resume("queue:slow").await;
    assert!(!fixture.store.resume(&target("queue:slow"), "anna").await.unwrap());
    let changes = fixture.store.changes(None, 10).await.unwrap();
    let told: Vec<_> = (changes.iter().rev())
        .map(|change| {
            (
                change.kind.as_str(),
                change.name.as_str(),
                change.who.as_str(),
                change.before.is_some(),
                change.after.is_some(),
            )
        })
        .collect();
    let expected = [("anna", false, true), ("bert", true, true), ("anna", true, false)];
    let expected = expected.map(|(who, before, after)| ("pause", "queue:slow", who, before, after));
    assert_eq!(told, expected);
}
