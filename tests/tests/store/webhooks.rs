//! That somebody is to be told is written with what they are told of; and each delivery is tried by one at a time.

use std::time::Duration;

use muster_store::{
    DefinitionChange, DefinitionWrite, DefinitionsWritten, DeliveryState, DeliveryTry, Disposition,
    ExecutionFailure, ExecutionOutcome, Expiry, NewExecution, TakenDelivery, WebhookRecord, WorkflowRecord,
    WorkflowTerms,
};
use uuid::Uuid;

use crate::definitions::change;
use crate::fixture::{Fixture, claimant, ending, new_execution, raw, success};

const LEASE: Duration = Duration::from_secs(60);

fn webhook(number: u128, events: Option<&str>) -> WebhookRecord {
    WebhookRecord {
        id: Uuid::from_u128(number),
        name: format!("hook-{number}"),
        url: "https://example.com/hook".into(),
        events: events.map(raw),
        workflows: None,
        is_paused: false,
    }
}

async fn write(fixture: &Fixture, rows: impl IntoIterator<Item = WebhookRecord>) {
    let version = fixture.store.definitions().await.unwrap().version;
    let change = |row: WebhookRecord| DefinitionChange {
        kind: "webhook",
        name: row.name.clone(),
        organization: None,
        before: None,
        after: Some("{}".into()),
        write: DefinitionWrite::PutWebhook(row),
    };
    let changes: Vec<_> = rows.into_iter().map(change).collect();
    let written = fixture.store.write_definitions(version, "anna", &changes).await.unwrap();
    assert_eq!(written, DefinitionsWritten::Committed);
    assert_eq!(fixture.store.definitions().await.unwrap().webhooks.len(), changes.len());
}

fn tried(taken: &TakenDelivery, again_after: Option<Duration>, is_delivered: bool) -> DeliveryTry {
    DeliveryTry {
        execution_id: taken.execution_id,
        webhook_id: taken.webhook_id,
        attempts: taken.attempts,
        is_delivered,
        again_after,
        status: Some(204),
        error: None,
        note: raw("{\"status\":204}"),
    }
}

pub(crate) async fn every_end_is_told_to_those_who_ask_for_it(fixture: Fixture) {
    let elsewhere = WebhookRecord { workflows: Some(raw("[\"other\"]")), ..webhook(3, None) };
    let paused = WebhookRecord { is_paused: true, ..webhook(4, None) };
    write(&fixture, [webhook(1, None), webhook(2, Some("[\"FAILED\",\"TIMEOUT\"]")), elsewhere, paused])
        .await;
    let claimant = claimant();
    let fine = fixture.claim(&claimant, new_execution()).await.attempt;
    fixture.finalize(success(&claimant, fine)).await;
    let wrong = fixture.claim(&claimant, new_execution()).await.attempt;
    let failure = ExecutionFailure::new("LookupError", "planted");
    let failed = Disposition::Terminal(ExecutionOutcome::Failed(failure.clone()));
    fixture.finalize(ending(&claimant, wrong, failed)).await;
    // Those that never ran, too; and a late outcome changes nothing.
    let waiting = fixture.submitted().await;
    fixture.store.request_cancel(waiting).await.unwrap();
    let unusable = Uuid::now_v7();
    fixture.store.fail_unusable(unusable, &failure).await.unwrap();
    fixture.finalize(success(&claimant, fine)).await;
    let deliveries = fixture.store.deliveries(None, None, 100).await.unwrap();
    let mut told: Vec<_> = deliveries.iter().map(|one| (one.webhook.clone(), one.execution_id)).collect();
    told.sort();
    let mut expected: Vec<_> = [fine.execution_id, wrong.execution_id, waiting, unusable]
        .map(|id| ("hook-1".to_owned(), id))
        .to_vec();
    expected.extend([wrong.execution_id, unusable].map(|id| ("hook-2".to_owned(), id)));
    expected.sort();
    assert_eq!(told, expected);
}

/// A workflow's row that names who is told of its ends.
fn greet(id: u128, organization_id: Option<Uuid>, webhook: Option<&str>) -> WorkflowRecord {
    let mut row = crate::workflow_limits::greet(WorkflowTerms::default());
    row.id = Uuid::from_u128(id);
    row.organization_id = organization_id;
    row.webhook = webhook.map(ToOwned::to_owned);
    row
}

pub(crate) async fn who_a_workflow_names_is_told_of_its_ends(fixture: Fixture) {
    // Told of nothing but what names them: of every end, and of failures.
    let silent = |number, events| WebhookRecord { workflows: Some(raw("[]")), ..webhook(number, events) };
    write(&fixture, [silent(1, None), silent(2, Some("[\"FAILED\"]")), silent(3, None)]).await;
    let (acme, other, claimant) = (Uuid::from_u128(70), Uuid::from_u128(71), claimant());
    let told = async |execution: NewExecution| {
        let attempt = fixture.claim(&claimant, execution).await.attempt;
        fixture.finalize(success(&claimant, attempt)).await;
        let deliveries = fixture.store.deliveries(None, None, 100).await.unwrap();
        let ours = deliveries.into_iter().filter(|one| one.execution_id == attempt.execution_id);
        ours.map(|one| one.webhook).collect::<Vec<_>>()
    };
    let of = |organization_id| NewExecution { organization_id, ..new_execution() };
    let by_id =
        |id| NewExecution { workflow_id: Some(Uuid::from_u128(id)), workflow_name: None, ..new_execution() };
    assert!(told(of(None)).await.is_empty(), "nobody is named");
    let rows = [
        greet(8, None, Some("hook-1")),
        // The row of the organization stands above everybody's, also where it names nobody.
        greet(9, Some(acme), Some("hook-3")),
        greet(10, Some(other), None),
        WorkflowRecord { is_active: false, ..greet(11, Some(Uuid::from_u128(72)), Some("hook-3")) },
    ];
    let version = fixture.store.definitions().await.unwrap().version;
    let rows = rows.map(|row| change(DefinitionWrite::PutWorkflow(row), "greet", None, Some("{}")));
    fixture.store.write_definitions(version, "anna", &rows).await.unwrap();
    assert_eq!(told(of(None)).await, ["hook-1"]);
    assert_eq!(told(of(Some(acme))).await, ["hook-3"]);
    assert!(told(of(Some(other))).await.is_empty());
    assert_eq!(
        told(of(Some(Uuid::from_u128(72)))).await,
        ["hook-1"],
        "an inactive row is as if it were not there"
    );
    assert_eq!(told(by_id(9)).await, ["hook-3"]);
    assert!(told(by_id(11)).await.is_empty());
    let elsewhere = NewExecution { workflow_name: Some("other".into()), ..new_execution() };
    assert!(told(elsewhere).await.is_empty());
    // What it is told of counts here, too, and so does that it is paused.
    fixture.sql("UPDATE workflows SET webhook = 'hook-2'").await;
    assert!(told(of(None)).await.is_empty());
    fixture.sql("UPDATE webhooks SET events = NULL").await;
    assert_eq!(told(of(None)).await, ["hook-2"]);
    // Whoever is told of it in any case is told once; and the ends of what never ran are ends.
    fixture.sql("UPDATE webhooks SET workflows = NULL WHERE name = 'hook-2'").await;
    assert_eq!(told(of(None)).await, ["hook-2"]);
    fixture.sql("UPDATE webhooks SET workflows = '[]'").await;
    let waiting = fixture.submitted().await;
    fixture.store.request_cancel(waiting).await.unwrap();
    let deliveries = fixture.store.deliveries(Some("hook-2"), None, 100).await.unwrap();
    assert!(deliveries.iter().any(|one| one.execution_id == waiting && one.event == "CANCELLED"));
    fixture.sql("UPDATE webhooks SET is_paused = true").await;
    assert!(told(of(None)).await.is_empty());
}

pub(crate) async fn a_delivery_is_taken_by_one_tried_and_begun_anew(fixture: Fixture) {
    write(&fixture, [webhook(1, None), webhook(2, None)]).await;
    let claimant = claimant();
    for _ in 0..3 {
        let attempt = fixture.claim(&claimant, new_execution()).await.attempt;
        fixture.finalize(success(&claimant, attempt)).await;
    }
    let other = fixture.another_store().await;
    let mut taken = fixture.store.take_deliveries(2, 100, &[], LEASE).await.unwrap();
    assert_eq!(taken.len(), 4, "at most two of each");
    assert!(other.take_deliveries(2, 0, &[], LEASE).await.unwrap().is_empty(), "at most so many in all");
    taken.extend(other.take_deliveries(2, 100, &[Uuid::from_u128(2)], LEASE).await.unwrap());
    assert_eq!(taken.len(), 5, "what is taken is nobody else's, and who is busy is not asked for");
    taken.sort_by_key(|one| one.webhook_id);
    let (first, second, third) = (&taken[0], &taken[1], &taken[2]);
    assert_eq!(
        (first.attempts, first.webhook.as_str(), first.url.as_str()),
        (1, "hook-1", "https://example.com/hook")
    );
    fixture.store.note_delivery(&tried(first, None, true)).await.unwrap();
    fixture.store.note_delivery(&tried(second, Some(Duration::ZERO), false)).await.unwrap();
    fixture.store.note_delivery(&tried(third, None, false)).await.unwrap();
    // Whoever is late changes nothing.
    let again = fixture.store.take_deliveries(8, 100, &[Uuid::from_u128(2)], LEASE).await.unwrap();
    assert_eq!(
        again.iter().map(|one| (one.execution_id, one.attempts)).collect::<Vec<_>>(),
        [(second.execution_id, 2)]
    );
    fixture.store.note_delivery(&tried(second, None, true)).await.unwrap();
    let of = |state| fixture.store.deliveries(Some("hook-1"), Some(state), 10);
    let ids = |rows: Vec<muster_store::DeliveryRecord>| {
        rows.into_iter().map(|one| one.execution_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(of(DeliveryState::Delivered).await.unwrap()), [first.execution_id]);
    assert_eq!(ids(of(DeliveryState::Pending).await.unwrap()), [second.execution_id]);
    let failed = of(DeliveryState::Failed).await.unwrap();
    assert_eq!(failed[0].history.as_ref().unwrap().get().replace(' ', ""), "[{\"status\":204}]");
    let again = fixture.store.retry_delivery("hook-1", third.execution_id).await.unwrap().unwrap();
    assert_eq!(
        (again.webhook.as_str(), again.attempts, again.state()),
        ("hook-1", 0, DeliveryState::Pending)
    );
    assert!(fixture.store.retry_delivery("hook-1", Uuid::now_v7()).await.unwrap().is_none());
    let anew = fixture.store.take_deliveries(8, 100, &[Uuid::from_u128(2)], LEASE).await.unwrap();
    assert_eq!(
        anew.iter().map(|one| (one.execution_id, one.attempts)).collect::<Vec<_>>(),
        [(third.execution_id, 1)]
    );
    // Who is removed is told nothing more.
    let version = fixture.store.definitions().await.unwrap().version;
    let gone = DefinitionChange {
        kind: "webhook",
        name: "hook-1".into(),
        organization: None,
        before: Some("{}".into()),
        after: None,
        write: DefinitionWrite::RemoveWebhook(Uuid::from_u128(1)),
    };
    fixture.store.write_definitions(version, "anna", &[gone]).await.unwrap();
    assert!(fixture.store.deliveries(Some("hook-1"), None, 10).await.unwrap().is_empty());
}

pub(crate) async fn what_expired_is_told_and_what_was_taken_back_is_told_anew(fixture: Fixture) {
    write(&fixture, [webhook(1, None)]).await;
    let late = NewExecution { expiry: Some(Expiry::After(LEASE)), ..new_execution() };
    fixture.store.submit(std::slice::from_ref(&late)).await.unwrap();
    fixture.age("expires_at", late.id, 3_600).await;
    assert_eq!(fixture.store.expire(&claimant(), 10).await.unwrap(), [late.id]);
    let told = async || {
        let deliveries = fixture.store.deliveries(None, None, 100).await.unwrap();
        let mut told: Vec<_> = deliveries.into_iter().map(|one| (one.execution_id, one.event)).collect();
        told.sort();
        told
    };
    assert_eq!(told().await, [(late.id, "CANCELLED".to_owned())]);
    // One that cannot be used waits again once it can.
    let unusable = new_execution();
    let failure = ExecutionFailure::new("InvalidRequest", "no workflow");
    fixture.store.fail_unusable(unusable.id, &failure).await.unwrap();
    assert_eq!(told().await.len(), 2);
    assert!(fixture.store.reopen_unusable(unusable.id).await.unwrap());
    assert_eq!(told().await.len(), 1, "nobody is told of an end that was none");
    let me = claimant();
    let attempt = fixture.claim(&me, unusable).await.attempt;
    fixture.finalize(success(&me, attempt)).await;
    assert!(told().await.contains(&(attempt.execution_id, "SUCCESS".to_owned())));
}

/// A request that names who is told of it: this text stands in its row.
fn asking(events: &str) -> NewExecution {
    let mut execution = new_execution();
    let id = execution.id;
    execution.request = raw(&format!(
        r#"{{"execution_id":"{id}","workflow":"greet","parameters":{{"webhook":{{"url":"https://not.this"}}}},"webhook":{{"url":"https://example.com/of-request",{events}"id":"00000000-0000-5000-8000-000000000009"}}}}"#
    ));
    execution
}

pub(crate) async fn who_a_request_names_is_told_of_its_end_too(fixture: Fixture) {
    let claimant = claimant();
    // One that only looks so, one that is told of another end, one that is told.
    let mut looks = new_execution();
    looks.request = raw(&format!(
        r#"{{"execution_id":"{}","workflow":"greet","parameters":{{"webhook":{{"url":"https://not.this"}}}}}}"#,
        looks.id
    ));
    for execution in [looks, asking(r#""events":["FAILED"],"#)] {
        let claimed = fixture.claim(&claimant, execution).await;
        fixture.finalize(success(&claimant, claimed.attempt)).await;
    }
    assert!(fixture.store.take_deliveries(4, 10, &[], LEASE).await.unwrap().is_empty());
    let claimed = fixture.claim(&claimant, asking("")).await;
    let id = claimed.attempt.execution_id;
    fixture.finalize(success(&claimant, claimed.attempt)).await;
    // What waits and is cancelled is an end, too.
    let waiting = asking(r#""events":["CANCELLED"],"#);
    let cancelled = waiting.id;
    fixture.store.submit(&[waiting]).await.unwrap();
    fixture.store.request_cancel(cancelled).await.unwrap();

    let receiver = Uuid::from_u128(0x5000_8000_0000_0000_0009);
    assert!(fixture.store.take_deliveries(4, 10, &[receiver], LEASE).await.unwrap().is_empty(), "it is busy");
    let mut taken = fixture.store.take_deliveries(4, 10, &[], LEASE).await.unwrap();
    taken.sort_by_key(|one| one.event.clone());
    let of =
        |one: &TakenDelivery| (one.execution_id, one.event.clone(), one.url.clone(), one.webhook.clone());
    let url = "https://example.com/of-request".to_owned();
    assert_eq!(
        taken.iter().map(of).collect::<Vec<_>>(),
        [
            (cancelled, "CANCELLED".to_owned(), url.clone(), "request".to_owned()),
            (id, "SUCCESS".to_owned(), url.clone(), "request".to_owned()),
        ]
    );
    fixture.store.note_delivery(&tried(&taken[1], None, true)).await.unwrap();
    let shown = fixture.store.deliveries(Some("request"), Some(DeliveryState::Delivered), 10).await.unwrap();
    assert_eq!((shown.len(), shown[0].execution_id, shown[0].url.clone()), (1, id, Some(url)));
    assert!(fixture.store.retry_delivery("request", id).await.unwrap().is_some());
    assert_eq!(fixture.store.take_deliveries(4, 10, &[], LEASE).await.unwrap().len(), 1);
}
