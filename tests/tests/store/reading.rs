//! What can be asked.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{ExecutionRequest, IdOrPrefix, Status};
use muster_core::fleet::SupervisorRecord;
use muster_store::{Claimant, EventRow, ExecutionFilter, Finalization, NewEvent, NewExecution};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, line, new_execution, raw, success};

pub(crate) async fn lists_are_paged_newest_first_and_filtered(fixture: Fixture) {
    let organization_id = Some(Uuid::new_v4());
    let mut ids = Vec::new();
    for number in 0..7 {
        let execution = NewExecution {
            workflow_name: Some(if number % 2 == 0 { "even" } else { "odd" }.to_owned()),
            organization_id: organization_id.filter(|_| number < 3),
            ..new_execution()
        };
        ids.push(execution.id);
        fixture.store.submit(&[execution]).await.unwrap();
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut filter = ExecutionFilter { limit: 3, ..ExecutionFilter::default() };
    loop {
        let page = fixture.store.executions(&filter).await.unwrap();
        assert!(page.executions.iter().all(|row| row.parameters.is_none() && row.result.is_none()));
        seen.extend(page.executions.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        filter.cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, ids);

    let count = async |filter: ExecutionFilter| {
        let page = fixture.store.executions(&ExecutionFilter { limit: 100, ..filter }).await.unwrap();
        page.executions.len()
    };
    let any = ExecutionFilter::default();
    assert_eq!(count(ExecutionFilter { workflow: Some("even".to_owned()), ..any.clone() }).await, 4);
    assert_eq!(count(ExecutionFilter { organization_id, ..any.clone() }).await, 3);
    assert_eq!(count(ExecutionFilter { statuses: vec![Status::Pending], ..any.clone() }).await, 7);
    assert_eq!(count(ExecutionFilter { statuses: vec![Status::Failed], ..any }).await, 0);
}

pub(crate) async fn rows_are_read_by_their_ids(fixture: Fixture) {
    let [one, two] = [fixture.submitted().await, fixture.submitted().await];
    let rows = fixture.store.executions_by_id(&[one, Uuid::new_v4(), two]).await.unwrap();
    let mut found: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    found.sort_unstable();
    let mut expected = [one, two];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(rows.iter().all(|row| row.request.is_some() && row.parameters.is_some()), "whole rows");
    assert!(fixture.store.executions_by_id(&[]).await.unwrap().is_empty());
}

pub(crate) async fn rows_are_found_by_how_their_ids_begin(fixture: Fixture) {
    let ids = [
        "0198aabb-c000-7000-8000-000000000001",
        "0198aabb-cfff-7000-8000-000000000002",
        "0198aabb-d000-7000-8000-000000000003",
    ]
    .map(|id| id.parse::<Uuid>().unwrap());
    for id in ids {
        fixture.store.submit(&[NewExecution { id, ..new_execution() }]).await.unwrap();
    }
    let found = async |text: &str, limit| {
        let IdOrPrefix::Prefix(prefix) = text.parse().unwrap() else { panic!("{text} is no prefix") };
        let rows = fixture.store.executions_with_prefix(prefix, None, limit).await.unwrap();
        assert!(rows.iter().all(|row| row.parameters.is_none()));
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(found("0198aa", 10).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(found("0198aa", 2).await, [ids[2], ids[1]]);
    assert_eq!(found("0198aabb-c", 10).await, [ids[1], ids[0]]);
    assert_eq!(found("0198AABBC0007", 10).await, [ids[0]]);
    assert!(found("0198ab", 10).await.is_empty());
    let acme = Uuid::from_u128(7);
    fixture.sql(&format!("UPDATE executions SET organization_id = '{acme}' WHERE id = '{}'", ids[0])).await;
    let IdOrPrefix::Prefix(prefix) = "0198aa".parse().unwrap() else { panic!("it is a prefix") };
    let rows = fixture.store.executions_with_prefix(prefix, Some(acme), 1).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[0]], "the newer ones are of others");
}

pub(crate) async fn logs_are_read_on_from_a_place(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let logs = (1..=5).map(|sequence| line(sequence, &format!("line {sequence}"))).collect();
    fixture.finalize(Finalization { logs, ..success(&me, attempt) }).await;
    let page = fixture.store.logs(attempt.execution_id, (0, 0), 2).await.unwrap();
    assert_eq!(page.len(), 2);
    let first = &page[0];
    assert_eq!((first.attempt, first.line.sequence, first.line.at_us), (1, 1, 1_700_000_000_000_001));
    assert_eq!((&*first.line.level, first.line.stream.as_str()), ("info", "stderr"));
    assert_eq!(first.line.logger, "test");
    let rest = fixture.store.logs(attempt.execution_id, (1, 2), 10).await.unwrap();
    let messages: Vec<_> = rest.iter().map(|row| row.line.message.as_str()).collect();
    assert_eq!(messages, ["line 3", "line 4", "line 5"]);
    assert!(fixture.store.logs(attempt.execution_id, (2, 0), 10).await.unwrap().is_empty());
}

pub(crate) async fn events_tell_how_an_execution_got_where_it_is(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let at = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
    let signalled =
        NewEvent { detail: Some(raw(r#"{"signal":15}"#)), ..NewEvent::new(at, "timeout_signalled") };
    let forged = vec![NewEvent::new(at, "forged")];
    fixture.finalize(Finalization { events: forged, ..success(&claimant(), attempt) }).await;
    let events = vec![NewEvent::new(at, "started"), signalled];
    fixture.finalize(Finalization { events, ..success(&me, attempt) }).await;
    let events = fixture.store.events(attempt.execution_id).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["claimed", "started", "timeout_signalled", "finalized"]);
    assert!(events.iter().all(|event| event.attempt == 1 && event.supervisor == Some(me.owner)));
    assert_eq!(events[1].at, at);
    let detail: serde_json::Value = serde_json::from_str(events[2].detail.as_ref().unwrap().get()).unwrap();
    assert_eq!(detail["signal"], 15);
    assert!(events[3].detail.as_ref().unwrap().get().contains("SUCCESS"));
}

pub(crate) async fn a_trace_is_made_of_the_row_and_all_its_events(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let at = Timestamp::from_microsecond(1_700_000_000_000_001).unwrap();
    let started = NewEvent { detail: Some(raw(r#"{"worker":"worker-1"}"#)), ..NewEvent::new(at, "started") };
    fixture.finalize(Finalization { events: vec![started], ..success(&me, attempt) }).await;
    let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request =
        format!(r#"{{"execution_id":"{}","workflow":"w","traceparent":"{given}"}}"#, Uuid::now_v7());
    let request = ExecutionRequest::parse(request.as_bytes()).unwrap();
    let waiting = NewExecution::of(&request, 3);
    let waiting_id = waiting.id;
    fixture.store.submit(&[waiting]).await.unwrap();
    let ids = [attempt.execution_id, Uuid::new_v4(), waiting_id];
    let mut traced = fixture.store.traced(&ids).await.unwrap();
    traced.sort_by_key(|execution| ids.iter().position(|id| *id == execution.id));
    let [ended, waits] = &traced[..] else { panic!("two of them are there: {traced:?}") };
    let row = fixture.row(attempt.execution_id).await;
    assert_eq!(
        (ended.status, ended.created_at, ended.completed_at),
        (row.status, row.created_at, row.completed_at)
    );
    assert_eq!(
        (&ended.workflow_name, &ended.queue, &ended.traceparent),
        (&row.workflow_name, &row.queue, &None)
    );
    let read = fixture.store.events(attempt.execution_id).await.unwrap();
    let shown = |events: &[EventRow]| -> Vec<_> {
        let detail = |event: &EventRow| {
            event
                .detail
                .as_ref()
                .map(|detail| serde_json::from_str::<serde_json::Value>(detail.get()).unwrap())
        };
        events
            .iter()
            .map(|event| (event.at, event.event.clone(), event.attempt, event.supervisor, detail(event)))
            .collect()
    };
    assert_eq!(shown(&ended.events), shown(&read));
    assert_eq!(read.len(), 3);
    assert_eq!((waits.traceparent.as_deref(), waits.events.len()), (Some(given), 0));
}

pub(crate) async fn workflows_are_found_own_first_then_global(fixture: Fixture) {
    let [own, global, inactive, organization, other] = [(); 5].map(|()| Uuid::new_v4());
    fixture
        .sql(&format!(
            "INSERT INTO organizations (id, name) VALUES ('{organization}', 'Acme');
             INSERT INTO workflows (id, name, path, organization_id, timeout_seconds, max_attempts) VALUES
                 ('{global}', 'report', 'global.js', NULL, 2.5, 2),
                 ('{own}', 'report', 'own.js', '{organization}', NULL, NULL);
             INSERT INTO workflows (id, name) VALUES ('{inactive}', 'old');"
        ))
        .await;
    fixture.sql(&format!("UPDATE workflows SET is_active = NOT is_active WHERE id = '{inactive}'")).await;
    let named = async |name, organization| {
        fixture.store.workflow_named(name, organization).await.unwrap().map(|workflow| workflow.id)
    };
    assert_eq!(named("report", Some(organization)).await, Some(own));
    assert_eq!(named("report", Some(other)).await, Some(global));
    assert_eq!(named("report", None).await, Some(global));
    assert_eq!(named("old", None).await, None);
    assert!(fixture.store.workflow(inactive).await.unwrap().is_none());
    let found = fixture.store.workflow(global).await.unwrap().unwrap();
    assert_eq!((found.path.as_deref(), found.timeout_seconds), (Some("global.js"), Some(2.5)));
    assert_eq!((found.max_attempts, found.is_active), (Some(2), true));
    let acme = fixture.store.organization(organization).await.unwrap().unwrap();
    assert_eq!((acme.name.as_str(), acme.is_active), ("Acme", true));
    assert!(fixture.store.organization(other).await.unwrap().is_none());
}

pub(crate) async fn an_organizations_config_replaces_the_global_one(fixture: Fixture) {
    let organization = Uuid::new_v4();
    fixture
        .sql(&format!(
            "INSERT INTO config_entries (organization_id, key, value) VALUES
                 (NULL, 'region', '\"eu\"'), (NULL, 'limit', '10'), ('{organization}', 'limit', '20');
             INSERT INTO config_entries (organization_id, key, value, is_secret)
                 SELECT organization_id, 'token', '\"s3cret\"', NOT is_secret FROM config_entries
                 WHERE organization_id = '{organization}';"
        ))
        .await;
    let read = async |organization| {
        let entries = fixture.store.config(organization).await.unwrap();
        let tell = |entry: &muster_store::ConfigEntry| {
            format!("{}={}{}", entry.key, entry.value, if entry.is_secret { " (secret)" } else { "" })
        };
        entries.iter().map(tell).collect::<Vec<_>>()
    };
    assert_eq!(read(None).await, ["limit=10", "region=\"eu\""]);
    let own = read(Some(organization)).await;
    assert_eq!(own, ["limit=20", "region=\"eu\"", "token=\"s3cret\" (secret)"]);
}

pub(crate) async fn facts_and_migrations_are_repeatable(fixture: Fixture) {
    let others = [fixture.another_store().await, fixture.another_store().await];
    let [one, two] = others.map(|store| tokio::spawn(async move { store.migrate().await }));
    fixture.store.migrate().await.unwrap();
    one.await.unwrap().unwrap();
    two.await.unwrap().unwrap();
    let facts = fixture.store.facts().await.unwrap();
    assert!(facts.schema_version >= 1 && facts.schema_version == facts.schema_newest, "{facts:?}");
    assert!(facts.may_migrate, "{facts:?}");
    assert!(facts.clock_ahead.abs().as_secs() < 5, "{facts:?}");
    assert!(!facts.version.is_empty());
}

pub(crate) async fn every_statement_fits_the_schema(fixture: Fixture) {
    fixture.store.check_statements().await.unwrap();
    fixture.sql("DROP TABLE state_entries").await;
    let error = fixture.another_store().await.check_statements().await.unwrap_err().to_string();
    assert!(error.contains("_state"), "{error}");
}

pub(crate) async fn supervisors_are_known_by_their_ids(fixture: Fixture) {
    let who = |host: &str, http_address: Option<&str>| SupervisorRecord {
        id: Uuid::now_v7(),
        host: host.to_owned(),
        process_id: 4_000_000_000,
        data_dir: "/var/lib/muster".to_owned(),
        http_address: http_address.map(str::to_owned),
        started_at: Timestamp::from_microsecond(1_790_000_000_000_001).unwrap(),
    };
    let [one, two] = [who("web-1", Some("http://10.0.0.3:7420")), who("web-2", None)];
    for identity in [&one, &two, &one] {
        fixture.store.announce(identity).await.unwrap();
    }
    let known = fixture.store.supervisors(&[two.id, Uuid::new_v4(), one.id]).await.unwrap();
    let mut found = known;
    found.sort_by_key(|supervisor| supervisor.id);
    assert_eq!(found, [one.clone(), two.clone()]);
    fixture
        .sql(&format!("UPDATE supervisors SET started_at = {} WHERE id = '{}'", fixture.moment("0"), one.id))
        .await;
    fixture.store.announce(&who("web-3", None)).await.unwrap();
    let known = fixture.store.supervisors(&[one.id, two.id]).await.unwrap();
    assert!(known.len() == 1 && known[0] == two, "what is long past is forgotten: {known:?}");
}

pub(crate) async fn a_supervisor_says_how_it_is_and_the_others_see_it(fixture: Fixture) {
    let who = |host: &str| SupervisorRecord {
        id: Uuid::now_v7(),
        host: host.to_owned(),
        process_id: 7,
        data_dir: "/var/lib/muster".to_owned(),
        http_address: None,
        started_at: Timestamp::now(),
    };
    let (speaks, mute, holds) = (who("web-1"), who("web-2"), who("web-3"));
    for supervisor in [&speaks, &mute, &holds] {
        fixture.store.announce(supervisor).await.unwrap();
    }
    let state = raw("{\"running\":3}");
    fixture.store.show_supervisor(speaks.id, "1.2.3", &state).await.unwrap();
    fixture.store.show_supervisor(Uuid::now_v7(), "1.2.3", &state).await.unwrap();
    let holder = Claimant { owner: holds.id, ..claimant() };
    fixture.claimed(&holder).await;
    let fleet = fixture.store.fleet().await.unwrap();
    let hosts: Vec<&str> = fleet.iter().map(|one| one.supervisor.host.as_str()).collect();
    assert_eq!(hosts, ["web-1", "web-3"], "one that never said anything and holds nothing is nobody");
    assert_eq!(fleet[0].supervisor.id, speaks.id);
    assert_eq!((fleet[0].version.as_deref(), fleet[0].holds), (Some("1.2.3"), 0));
    let said: serde_json::Value = serde_json::from_str(fleet[0].state.as_ref().unwrap().get()).unwrap();
    assert_eq!(said["running"], 3);
    assert!(fleet[0].silent_for.unwrap() < Duration::from_secs(60));
    assert!(fleet[1].version.is_none() && fleet[1].silent_for.is_none() && fleet[1].holds == 1);
    let ago = fixture.moment(&(Timestamp::now().as_microsecond() - 2 * 24 * 3600 * 1_000_000).to_string());
    fixture.sql(&format!("UPDATE supervisors SET last_seen_at = {ago} WHERE id = '{}'", speaks.id)).await;
    assert_eq!(fixture.store.fleet().await.unwrap().len(), 1, "a day is long enough");
}
