//! A schedule and the execution of its tick go on together, and of those who see a tick one comes through.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use muster_store::{
    DefinitionChange, DefinitionWrite, DefinitionsWritten, DueSchedule, NewExecution, ScheduleAdvance,
    ScheduleAdvanced, ScheduleRecord,
};
use uuid::Uuid;

use crate::fixture::{Fixture, raw};

fn nightly(number: u128) -> ScheduleRecord {
    ScheduleRecord {
        id: Uuid::from_u128(number),
        name: format!("nightly-{number}"),
        workflow: "report".into(),
        organization_id: None,
        cron: "30 2 * * *".into(),
        time_zone: "Europe/Berlin".into(),
        queue: Some("tests".into()),
        parameters: Some(raw("{\"all\":true}")),
        overlap: "skip".into(),
        missed: "run_once".into(),
        missed_seconds: 3_600,
        jitter_seconds: 0,
        is_paused: false,
        next_at: None,
        due_at: None,
        last_at: None,
        last_execution: None,
        last_outcome: None,
    }
}

async fn write(fixture: &Fixture, rows: impl IntoIterator<Item = ScheduleRecord>) {
    let version = fixture.store.definitions().await.unwrap().version;
    let change = |row: ScheduleRecord| DefinitionChange {
        kind: "schedule",
        name: row.name.clone(),
        organization: None,
        before: None,
        after: Some("{}".into()),
        write: DefinitionWrite::PutSchedule(row),
    };
    let changes: Vec<_> = rows.into_iter().map(change).collect();
    let written = fixture.store.write_definitions(version, "anna", &changes).await.unwrap();
    assert_eq!(written, DefinitionsWritten::Committed);
}

fn execution(number: u128) -> NewExecution {
    let request = format!("{{\"execution_id\":\"{}\",\"workflow\":\"report\"}}", Uuid::from_u128(number));
    let request = muster_core::execution::ExecutionRequest::parse(request.as_bytes()).unwrap();
    NewExecution::of(&request, 3).in_queue("tests")
}

/// Goes on from where the schedule was seen to a tick an hour on.
fn advance(seen: &DueSchedule, new: Option<NewExecution>) -> ScheduleAdvance {
    let next = seen.now + SignedDuration::from_hours(1);
    ScheduleAdvance {
        id: seen.schedule.id,
        from: seen.schedule.next_at,
        next_at: Some(next),
        due_at: Some(next),
        done: new.is_some().then_some(seen.now),
        outcome: new.is_some().then_some("run"),
        execution: new,
    }
}

async fn due(fixture: &Fixture) -> Vec<DueSchedule> {
    let mut due = fixture.store.due_schedules(100).await.unwrap();
    due.sort_by_key(|one| one.schedule.id);
    due
}

pub(crate) async fn of_those_who_see_a_tick_one_makes_its_execution(fixture: Fixture) {
    write(&fixture, (1..=20).map(nightly)).await;
    let seen = due(&fixture).await;
    assert_eq!(seen.len(), 20);
    assert!(seen.iter().all(|one| one.schedule.next_at.is_none() && one.unfinished.is_empty()));
    let advances: Arc<Vec<ScheduleAdvance>> =
        Arc::new((1000..).zip(&seen).map(|(id, seen)| advance(seen, Some(execution(id)))).collect());
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, advances) = (fixture.another_store().await, Arc::clone(&advances));
        racing.spawn(async move { store.advance_schedules(&advances).await.unwrap() });
    }
    let done: Vec<ScheduleAdvanced> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(done.iter().filter(|one| **one == ScheduleAdvanced::Done).count(), 20);
    assert_eq!(done.iter().filter(|one| **one == ScheduleAdvanced::NotOurs).count(), 60);
    assert!(due(&fixture).await.is_empty());
    let wait = fixture.store.next_tick().await.unwrap().unwrap();
    assert!((3_500..=3_600).contains(&wait.as_secs()), "{wait:?}");
    for id in 1000..1020 {
        let made = fixture.store.execution(Uuid::from_u128(id)).await.unwrap().unwrap();
        assert_eq!(made.queue.as_deref(), Some("tests"));
    }
    // Whoever saw it before is late.
    let late = fixture.store.advance_schedules(&[advance(&seen[0], Some(execution(2000)))]).await.unwrap();
    assert_eq!(late, [ScheduleAdvanced::NotOurs]);
    assert!(fixture.store.execution(Uuid::from_u128(2000)).await.unwrap().is_none());
}

pub(crate) async fn what_is_due_is_told_with_what_it_waits_for(fixture: Fixture) {
    let queued = ScheduleRecord { overlap: "queue".into(), ..nightly(2) };
    let paused = ScheduleRecord { is_paused: true, ..nightly(3) };
    write(&fixture, [nightly(1), queued.clone(), paused]).await;
    let seen = due(&fixture).await;
    assert_eq!(
        seen.iter().map(|one| one.schedule.name.as_str()).collect::<Vec<_>>(),
        ["nightly-1", "nightly-2"]
    );
    // Both stand at a tick that is due already, and their executions before wait.
    let back: Vec<ScheduleAdvance> = (100..)
        .zip(&seen)
        .map(|(id, seen)| ScheduleAdvance { due_at: Some(seen.now), ..advance(seen, Some(execution(id))) })
        .collect();
    assert_eq!(
        fixture.store.advance_schedules(&back).await.unwrap(),
        [ScheduleAdvanced::Done, ScheduleAdvanced::Done]
    );
    let seen = due(&fixture).await;
    assert_eq!(seen.len(), 1, "the one that waits for its execution before is left out");
    assert_eq!((&seen[0].unfinished, seen[0].ended_at), (&vec![Uuid::from_u128(100)], None));
    assert_eq!(seen[0].schedule.last_outcome.as_deref(), Some("run"));
    fixture.store.request_cancel(Uuid::from_u128(101)).await.unwrap();
    let seen = due(&fixture).await;
    assert_eq!(seen.len(), 2);
    assert!(seen[1].unfinished.is_empty() && seen[1].ended_at.is_some());
    // A change that moves no tick leaves it where it stands; another one does not.
    write(&fixture, [ScheduleRecord { workflow: "other".into(), ..queued.clone() }]).await;
    assert_eq!(due(&fixture).await[1].schedule.next_at, seen[1].schedule.next_at);
    write(&fixture, [ScheduleRecord { cron: "@daily".into(), ..queued }]).await;
    assert_eq!(due(&fixture).await.iter().filter(|one| one.schedule.next_at.is_none()).count(), 1);
}

pub(crate) async fn what_somebody_asks_for_hides_nothing_that_runs(fixture: Fixture) {
    let queued = ScheduleRecord { overlap: "queue".into(), ..nightly(2) };
    write(&fixture, [nightly(1), queued]).await;
    let seen = due(&fixture).await;
    // Both stand at a tick that is due, and the executions of their ticks before, 100 and 101, are not over.
    let back: Vec<ScheduleAdvance> = (100..)
        .zip(&seen)
        .map(|(id, seen)| ScheduleAdvance { due_at: Some(seen.now), ..advance(seen, Some(execution(id))) })
        .collect();
    fixture.store.advance_schedules(&back).await.unwrap();
    let by_hand = async |schedule: u128, id: u128| {
        fixture.store.submit(&[execution(id)]).await.unwrap();
        let (schedule, id) = (Uuid::from_u128(schedule), Uuid::from_u128(id));
        fixture.store.note_schedule_run(schedule, Timestamp::now(), id).await.unwrap();
    };
    let cancel = async |id: u128| fixture.store.request_cancel(Uuid::from_u128(id)).await.unwrap();
    let unfinished = async |schedule: u128| {
        let seen = due(&fixture).await;
        let found = seen.into_iter().find(|one| one.schedule.id == Uuid::from_u128(schedule));
        found.map(|found| {
            let mut ids: Vec<u128> = found.unfinished.iter().map(Uuid::as_u128).collect();
            ids.sort_unstable();
            (ids, found.schedule.last_execution.map(|id| id.as_u128()), found.ended_at.is_some())
        })
    };
    by_hand(1, 200).await;
    assert_eq!(unfinished(1).await, Some((vec![100, 200], Some(200), false)));
    cancel(200).await;
    assert_eq!(unfinished(1).await, Some((vec![100], Some(200), true)));
    by_hand(1, 300).await;
    by_hand(1, 400).await;
    assert_eq!(unfinished(1).await, Some((vec![100, 300, 400], Some(400), false)));
    cancel(100).await;
    cancel(400).await;
    assert_eq!(unfinished(1).await, Some((vec![300], Some(400), true)));
    cancel(300).await;
    assert_eq!(unfinished(1).await, Some((vec![], Some(400), true)));
    // One that waits waits for all of them, and one that never ticked for what somebody asked for.
    by_hand(2, 201).await;
    cancel(201).await;
    assert_eq!(unfinished(2).await, None);
    cancel(101).await;
    assert_eq!(unfinished(2).await, Some((vec![], Some(201), true)));
    write(&fixture, [nightly(3)]).await;
    by_hand(3, 202).await;
    assert_eq!(unfinished(3).await, Some((vec![202], Some(202), false)));
}

pub(crate) async fn what_is_made_up_for_is_left_out_while_it_waits(fixture: Fixture) {
    let all = |number| ScheduleRecord { missed: "run_all".into(), jitter_seconds: 60, ..nightly(number) };
    write(&fixture, [all(1), all(2)]).await;
    let seen = due(&fixture).await;
    // Both stand at a tick of ten minutes ago. One is made up for since then, the other is due at its moment.
    let then = seen[0].now - SignedDuration::from_mins(10);
    let stand = |seen: &DueSchedule, id: u128, due_at: Timestamp| ScheduleAdvance {
        next_at: Some(then),
        due_at: Some(due_at),
        ..advance(seen, Some(execution(id)))
    };
    let on_time = then + SignedDuration::from_secs(60);
    let back = [stand(&seen[0], 100, seen[0].now), stand(&seen[1], 101, on_time)];
    fixture.store.advance_schedules(&back).await.unwrap();
    let seen = due(&fixture).await;
    assert_eq!(seen.iter().map(|one| one.schedule.id.as_u128()).collect::<Vec<_>>(), [2]);
    fixture.store.request_cancel(Uuid::from_u128(100)).await.unwrap();
    assert_eq!(due(&fixture).await.len(), 2);
}

pub(crate) async fn one_whose_last_tick_is_hours_ahead_is_looked_at(fixture: Fixture) {
    write(&fixture, [nightly(1), nightly(2)]).await;
    let seen = due(&fixture).await;
    let hours = |hours| Some(seen[0].now + SignedDuration::from_hours(hours));
    let ahead = [
        ScheduleAdvance { done: hours(2), ..advance(&seen[0], None) },
        ScheduleAdvance { done: hours(5), ..advance(&seen[1], None) },
    ];
    fixture.store.advance_schedules(&ahead).await.unwrap();
    let seen = due(&fixture).await;
    assert_eq!(seen.iter().map(|one| one.schedule.id).collect::<Vec<_>>(), [Uuid::from_u128(2)]);
    assert!(seen[0].schedule.last_at > Some(Timestamp::now() + SignedDuration::from_hours(3)));
}
