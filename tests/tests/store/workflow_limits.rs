//! How many of a workflow may run at once, and where they wait: said by its row or its code.

use std::sync::Arc;

use muster_core::execution::{Attempt, RetryOptions, Status};
use muster_core::limit::{ConcurrencyTerms, LimitTerms, OnFull};
use muster_store::{
    Claim, Claimant, DefinitionWrite, Finalization, NewExecution, OrganizationRecord, Submitted,
    WorkflowRecord, WorkflowTerms,
};
use uuid::Uuid;

use crate::definitions::{change, write};
use crate::fixture::{Fixture, QUEUE, claimant, new_execution, serving, success};
use crate::limits::{of_customer, total};

pub(crate) const GREET: &str = "workflow/greet";

fn at_once(most: u32) -> ConcurrencyTerms {
    ConcurrencyTerms { total: Some(most), ..ConcurrencyTerms::default() }
}

fn limited(concurrency: ConcurrencyTerms) -> WorkflowTerms {
    WorkflowTerms { concurrency: Some(concurrency), ..WorkflowTerms::default() }
}

pub(crate) fn greet(admission: WorkflowTerms) -> WorkflowRecord {
    WorkflowRecord {
        id: Uuid::from_u128(8),
        name: "greet".into(),
        path: None,
        function_name: None,
        language: None,
        organization_id: None,
        timeout_seconds: None,
        max_attempts: None,
        is_active: true,
        admission,
        retry: RetryOptions::default(),
        webhook: None,
        retention: Default::default(),
    }
}

impl Fixture {
    pub(crate) async fn define(&self, row: WorkflowRecord) {
        let name = row.name.clone();
        write(self, &[change(DefinitionWrite::PutWorkflow(row), &name, None, Some("{}"))]).await;
    }

    async fn own_limit(&self, name: &str) -> Option<(Option<u32>, String)> {
        let found = self.store.limit(name).await.unwrap();
        found.map(|limit| (limit.terms.total, limit.origin))
    }

    async fn count_claims(&self, me: &Claimant) -> usize {
        self.claims(me, 100).await.len()
    }

    async fn declare(&self, terms: WorkflowTerms) {
        self.store.declare_workflows(&[("greet".to_owned(), terms)]).await.unwrap();
    }
}

fn several(count: usize) -> Vec<NewExecution> {
    (0..count).map(|_| new_execution()).collect()
}

pub(crate) async fn no_more_of_a_workflow_run_than_its_row_says(fixture: Fixture) {
    let me = claimant();
    fixture.define(greet(limited(at_once(2)))).await;
    let all = several(5);
    fixture.submit_all(&all).await;
    assert_eq!(fixture.row(all[0].id).await.limits[0].name, GREET);
    let running = fixture.claims(&me, 100).await;
    assert_eq!(running.len(), 2);
    assert_eq!(fixture.waits_for(all[2].id).await.as_deref(), Some("limit:workflow/greet"));
    fixture.succeed(&me, running[0]).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[2].id]);
    // Raised, those that have room start; removed, nothing waits.
    fixture.define(greet(limited(at_once(3)))).await;
    assert_eq!(fixture.claimed_ids(&me).await, [all[3].id]);
    fixture.define(greet(WorkflowTerms::default())).await;
    assert_eq!(fixture.own_limit(GREET).await, None);
    assert_eq!(fixture.claimed_ids(&me).await, [all[4].id]);
}

pub(crate) async fn what_waited_before_its_workflow_had_a_limit_obeys_it(fixture: Fixture) {
    let me = claimant();
    let other = NewExecution { workflow_name: Some("other".into()), ..new_execution() };
    let all = several(4);
    fixture.submit_all(&all).await;
    fixture.submit_all(std::slice::from_ref(&other)).await;
    fixture.define(greet(limited(at_once(1)))).await;
    let running = fixture.claims(&me, 100).await;
    assert_eq!(running.len(), 2, "one of it, and the other workflow");
    assert_eq!(fixture.row(all[0].id).await.limits[0].name, GREET);
    assert_eq!(fixture.waits_for(all[1].id).await.as_deref(), Some("limit:workflow/greet"));
    assert!(fixture.row(other.id).await.limits.is_empty());
    let held = fixture.texts("SELECT CAST(count(*) AS TEXT) FROM limit_holders").await;
    assert_eq!(held, ["1"]);
    for attempt in running {
        fixture.succeed(&me, attempt).await;
    }
    assert_eq!(fixture.claimed_ids(&me).await, [all[1].id]);
}

pub(crate) async fn what_waited_before_is_told_what_it_waits_for(fixture: Fixture) {
    let me = claimant();
    let all = several(2);
    fixture.submit_all(&all[..1]).await;
    fixture.define(greet(limited(at_once(1)))).await;
    assert_eq!(fixture.count_claims(&me).await, 1);
    fixture.define(greet(WorkflowTerms::default())).await;
    fixture.submit_all(&all[1..]).await;
    fixture.define(greet(limited(at_once(1)))).await;
    let row = fixture.row(all[1].id).await;
    assert!(row.limits.is_empty() && row.waits_for.is_none(), "no claim has looked at it");
    let wait = fixture.store.limit_wait(&row).await.unwrap().unwrap();
    assert_eq!((wait.name.as_str(), wait.most, wait.running), (GREET, Some(1), 1));
    assert_eq!(fixture.count_claims(&me).await, 0, "and so it is");
}

pub(crate) async fn a_late_key_is_read_from_the_request(fixture: Fixture) {
    let me = claimant();
    let of = |customer: &str| NewExecution { limits: Vec::new(), ..of_customer("", customer) };
    let all = [of("a"), of("a"), of("b")];
    fixture.submit_all(&all).await;
    let per_customer = ConcurrencyTerms {
        per_key: Some(1),
        key: "parameters.customer".parse().unwrap(),
        ..ConcurrencyTerms::default()
    };
    fixture.define(greet(limited(per_customer))).await;
    let running: Vec<Uuid> = fixture.claimed_ids(&me).await;
    assert_eq!(running, [all[0].id, all[2].id]);
    assert_eq!(fixture.waits_for(all[1].id).await.as_deref(), Some("limit:workflow/greet:a"));
}

pub(crate) async fn a_message_of_a_limited_workflow_becomes_a_row(fixture: Fixture) {
    let me = claimant();
    fixture.define(greet(limited(at_once(1)))).await;
    let messages: Vec<Arc<NewExecution>> = several(2).into_iter().map(Arc::new).collect();
    let answers = fixture.store.claim(&me, &messages).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Claim::Elsewhere(Status::Pending))), "{answers:?}");
    assert_eq!(fixture.count_claims(&me).await, 1);
}

pub(crate) async fn children_and_ticks_are_in_their_workflows_limits(fixture: Fixture) {
    let me = claimant();
    fixture.define(greet(limited(at_once(1)))).await;
    let parent = NewExecution { workflow_name: Some("parent".into()), ..new_execution() };
    let attempt = fixture.claim(&me, parent).await.attempt;
    let children = vec![new_execution(), new_execution()];
    let ids: Vec<Uuid> = children.iter().map(|child| child.id).collect();
    fixture.finalize(Finalization { children, ..success(&me, attempt) }).await;
    for id in ids {
        assert_eq!(fixture.row(id).await.limits[0].name, GREET);
    }
    assert_eq!(fixture.count_claims(&me).await, 1);
}

pub(crate) async fn the_row_says_the_queue_where_the_message_does_not(fixture: Fixture) {
    let (me, python) = (claimant(), serving(["python"]));
    fixture.define(greet(WorkflowTerms { queue: Some("python".into()), ..WorkflowTerms::default() })).await;
    let plain = || NewExecution { queue: None, ..new_execution() }.in_queue(QUEUE);
    let (stated, submitted, message) = (new_execution(), plain(), Arc::new(plain()));
    let answers = fixture.store.claim(&me, std::slice::from_ref(&message)).await.unwrap();
    assert!(matches!(answers[..], [Claim::Elsewhere(Status::Pending)]), "{answers:?}");
    fixture.submit_all(&[stated.clone(), submitted.clone()]).await;
    let queue = async |id: Uuid| fixture.row(id).await.queue.unwrap();
    assert_eq!(queue(stated.id).await, QUEUE);
    assert_eq!(queue(submitted.id).await, "python");
    assert_eq!(queue(message.id).await, "python");
    assert_eq!(fixture.claimed_ids(&me).await, [stated.id]);
    assert_eq!(fixture.count_claims(&python).await, 2);
}

pub(crate) async fn the_row_stands_above_the_code(fixture: Fixture) {
    let of_code = WorkflowTerms { limits: Some(vec!["crm".into()]), ..limited(at_once(5)) };
    fixture.declare(of_code.clone()).await;
    assert_eq!(fixture.own_limit(GREET).await, Some((Some(5), "code".to_owned())));
    fixture.define(greet(limited(at_once(2)))).await;
    assert_eq!(fixture.own_limit(GREET).await, Some((Some(2), "workflow".to_owned())));
    // Said again by a process that starts, it does not count.
    fixture.declare(WorkflowTerms::default()).await;
    fixture.declare(of_code).await;
    assert_eq!(fixture.own_limit(GREET).await, Some((Some(2), "workflow".to_owned())));
    let new = new_execution();
    fixture.submit_all(std::slice::from_ref(&new)).await;
    let names: Vec<String> = fixture.row(new.id).await.limits.into_iter().map(|held| held.name).collect();
    assert_eq!(names, ["crm", GREET], "what the row does not say the code says");
    fixture.define(greet(WorkflowTerms::default())).await;
    assert_eq!(fixture.own_limit(GREET).await, Some((Some(5), "code".to_owned())));
    fixture.declare(WorkflowTerms::default()).await;
    assert_eq!(fixture.own_limit(GREET).await, None);
}

pub(crate) async fn what_code_declares_is_known_to_all_processes(fixture: Fixture) {
    let other = fixture.another_store().await;
    let before = new_execution();
    other.submit(std::slice::from_ref(&before)).await.unwrap();
    other.follow_workflows().await.unwrap();
    fixture.declare(limited(at_once(1))).await;
    other.follow_workflows().await.unwrap();
    let after = new_execution();
    other.submit(std::slice::from_ref(&after)).await.unwrap();
    assert_eq!(fixture.row(after.id).await.limits[0].name, GREET);
    // One that starts knows it from its first claim on.
    let third = fixture.another_store().await;
    let due = third.claim_due(&claimant(), 100, muster_store::TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.len(), 1);
}

pub(crate) async fn a_row_that_is_changed_by_hand_counts(fixture: Fixture) {
    fixture.define(greet(WorkflowTerms::default())).await;
    fixture.sql("UPDATE workflows SET concurrency = 1, queue = 'slow'").await;
    fixture.store.follow_workflows().await.unwrap();
    assert_eq!(fixture.own_limit(GREET).await, Some((Some(1), "workflow".to_owned())));
    fixture.sql("UPDATE workflows SET concurrency = NULL, limits = 'no list'").await;
    fixture.store.follow_workflows().await.unwrap();
    assert_eq!(fixture.own_limit(GREET).await, None);
}

pub(crate) async fn the_workflow_of_an_organization_has_a_limit_of_its_own(fixture: Fixture) {
    let me = claimant();
    let acme = OrganizationRecord {
        id: Uuid::from_u128(7),
        key: Some("acme".into()),
        name: "Acme".into(),
        weight: None,
        is_active: true,
    };
    let put = DefinitionWrite::PutOrganization(acme.clone());
    write(&fixture, &[change(put, "acme", None, Some("{}"))]).await;
    fixture.define(greet(limited(at_once(1)))).await;
    let of_acme = WorkflowRecord {
        id: Uuid::from_u128(9),
        organization_id: Some(acme.id),
        ..greet(limited(at_once(2)))
    };
    fixture.define(of_acme).await;
    let for_acme = || NewExecution { organization_id: Some(acme.id), ..new_execution() };
    fixture.submit_all(&[new_execution(), new_execution(), for_acme(), for_acme(), for_acme()]).await;
    assert_eq!(fixture.count_claims(&me).await, 3);
    assert_eq!(fixture.own_limit("workflow@acme/greet").await.unwrap().0, Some(2));
}

pub(crate) async fn a_limit_is_changed_with_the_rest_of_what_is_defined(fixture: Fixture) {
    let me = claimant();
    fixture.limit("crm", total(1)).await;
    let all: Vec<NewExecution> = (0..3).map(|_| crate::limits::limited(["crm"])).collect();
    fixture.submit_all(&all).await;
    assert_eq!(fixture.count_claims(&me).await, 1);
    let put = |terms: LimitTerms| DefinitionWrite::PutLimit { name: "crm".into(), terms };
    write(&fixture, &[change(put(total(2)), "crm", Some("{}"), Some("{}"))]).await;
    assert_eq!(fixture.count_claims(&me).await, 1, "room that came is taken at once");
    assert_eq!(fixture.store.definitions().await.unwrap().limits[0].terms, total(2));
    write(&fixture, &[change(DefinitionWrite::RemoveLimit("crm".into()), "crm", Some("{}"), None)]).await;
    assert_eq!(fixture.count_claims(&me).await, 1);
    assert_eq!(fixture.store.changes(None, 10).await.unwrap().len(), 2);
}

pub(crate) async fn a_workflows_own_limit_may_refuse(fixture: Fixture) {
    let concurrency = ConcurrencyTerms { on_full: OnFull::Reject, ..at_once(1) };
    fixture.define(greet(limited(concurrency))).await;
    let all = [new_execution().refusable(), new_execution().refusable()];
    let answers = fixture.store.submit(&all).await.unwrap();
    let refused = Submitted::LimitReached { limit: GREET.to_owned(), holder: Some(all[0].id) };
    assert_eq!(answers, [Submitted::Inserted, refused]);
    let attempt: Vec<Attempt> = fixture.claims(&claimant(), 10).await;
    assert_eq!(attempt.len(), 1);
}
