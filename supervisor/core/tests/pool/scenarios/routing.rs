//! Who gets the next execution.

use std::time::Duration;

use muster_core::pool::{Assignment, PoolEvent, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::RunMetrics;

use super::stage::{ALL, NONE, Stage, error, seconds, succeeded};

#[test]
fn an_execution_runs_from_submit_to_finish() {
    let mut stage = Stage::warm(|_| {});
    let (attempt, worker, run) = stage.running(None);
    stage.wait_ms(250);
    stage.finished(worker, run, super::stage::success());
    assert_eq!(stage.finishes(), [], "late stderr still belongs to the run");
    stage.wait_ms(5);
    stage.idle(worker, run);
    let finish = stage.finish();
    assert_eq!((finish.attempt, finish.ending), (attempt, succeeded()));
    assert_eq!(finish.duration, Some(std::time::Duration::from_millis(250)), "Started read to Finished read");
    assert_eq!(stage.state(worker), "idle");
}

#[test]
fn waiting_executions_are_served_in_order_in_the_step_that_frees_a_worker() {
    let mut stage = Stage::warm(|config| config.max_workers = 1);
    let (_, worker, run) = stage.running(None);
    let second = stage.submit();
    let third = stage.submit();
    stage.succeeds(worker, run);
    assert_eq!(stage.executes(), [(worker, 2, second)]);
    stage.says(worker, WorkerEvent::Started { run: 2 });
    stage.succeeds(worker, 2);
    assert_eq!(stage.executes(), [(worker, 3, third)]);
}

#[test]
fn the_most_recently_used_worker_is_used_first() {
    let mut stage = Stage::warm(|config| config.min_workers = 3);
    let runs: Vec<_> = (0..3).map(|_| stage.running(None)).collect();
    let (_, middle, run) = runs[1];
    for (_, worker, run) in [runs[0], runs[2]] {
        stage.succeeds(worker, run);
    }
    stage.succeeds(middle, run);
    stage.effects();
    assert_eq!(stage.running(None).1, middle);
}

#[test]
fn an_attempt_submitted_twice_runs_once() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let (attempt, ..) = stage.running(None);
    stage.step(PoolEvent::Submit(Assignment { attempt, organization_id: None, timeout: None, halts: false }));
    assert_eq!(stage.effects(), []);
}

#[test]
fn a_worker_that_dies_before_started_costs_nothing() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let attempt = stage.submit();
    let later = stage.submit();
    let executes = stage.executes();
    let (first, second) = (executes[0].0, executes[1].0);
    stage.exits(first, ExitStatus::Signal(11));
    assert_eq!(stage.finishes(), []);
    stage.says(second, WorkerEvent::Started { run: 1 });
    stage.succeeds(second, 1);
    let effects = stage.effects();
    let mut finished =
        effects.iter().filter(|effect| matches!(effect, muster_core::pool::PoolEffect::Finish(_)));
    assert!(
        matches!(finished.next(), Some(muster_core::pool::PoolEffect::Finish(finish)) if finish.attempt == later)
    );
    assert!(
        effects.iter().any(|effect| matches!(
            effect,
            muster_core::pool::PoolEffect::Execute { worker, attempt: executed, .. }
                if *worker == second && *executed == attempt
        )),
        "rerouted to the front: {effects:?}"
    );
}

#[test]
fn three_deaths_before_started_fail_the_execution() {
    let mut stage = Stage::warm(|config| config.min_workers = 1);
    stage.submit();
    for death in 1..=3 {
        let (worker, _) = stage.execute();
        stage.exits(worker, ExitStatus::Code(3));
        if death < 3 {
            for spawned in stage.spawns() {
                stage.becomes_ready(spawned, ALL);
            }
        }
    }
    let finish = stage.finish();
    let (kind, message) = error(&finish.ending);
    assert_eq!(kind, "WorkerCrashed");
    assert!(message.contains("3 workers in a row") && message.contains("exit status 3"), "{message}");
    assert_eq!(finish.duration, None);
}

#[test]
fn what_was_read_late_lasted_as_long_as_its_worker_says_and_no_longer_than_it_was_away() {
    for (wall_ms, lasted_ms) in [(180, 180), (10_000, 200)] {
        let mut stage = Stage::warm(|_| {});
        stage.submit();
        let (worker, run) = stage.execute();
        stage.wait_ms(200);
        stage.says(worker, WorkerEvent::Started { run });
        let metrics = RunMetrics { wall_us: wall_ms * 1_000, ..RunMetrics::default() };
        stage.says(worker, WorkerEvent::Finished { run, outcome: super::stage::success(), metrics });
        stage.idle(worker, run);
        let finish = stage.finish();
        assert_eq!(finish.duration, Some(Duration::from_millis(lasted_ms)));
        assert_eq!(finish.observed, Some(Duration::ZERO));
    }
}

#[test]
fn goodbye_before_started_reroutes_once_the_process_is_gone() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let attempt = stage.submit();
    let (worker, _) = stage.execute();
    stage.says(worker, WorkerEvent::Goodbye { reason: "tired".to_owned() });
    assert_eq!(stage.executes(), [], "its code may still run");
    stage.exits(worker, ExitStatus::Code(0));
    let executes = stage.executes();
    assert_eq!(executes.len(), 1);
    assert_ne!(executes[0].0, worker);
    assert_eq!(executes[0].2, attempt);
}

#[test]
fn an_execute_without_started_in_ten_seconds_kills_the_worker_and_reroutes() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.submit();
    let (worker, _) = stage.execute();
    stage.wait(seconds(10));
    assert_eq!(stage.state(worker), "killed");
    assert_eq!(stage.executes(), []);
    stage.exits(worker, ExitStatus::Signal(9));
    assert_ne!(stage.execute().0, worker);
}

#[test]
fn finished_without_idle_in_ten_seconds_kills_the_worker_and_the_outcome_stands() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, super::stage::success());
    stage.wait_ms(9_999);
    assert_eq!(stage.finishes(), []);
    stage.wait_ms(1);
    assert_eq!(stage.state(worker), "killed");
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn a_worker_without_cancel_is_told_of_no_grace() {
    let mut stage = Stage::cold(|_| {});
    stage.becomes_ready(WorkerId(1), NONE);
    stage.effects();
    stage.submit();
    let effects = stage.effects();
    assert!(
        matches!(&effects[0], muster_core::pool::PoolEffect::Execute { grace, .. } if grace.is_zero()),
        "{effects:?}"
    );
}

#[test]
fn capacity_is_the_ceiling_minus_what_runs_and_waits() {
    let mut stage = Stage::warm(|config| config.max_workers = 4);
    assert_eq!(stage.pool.free_slots(), 4);
    stage.submit();
    stage.submit();
    assert_eq!(stage.pool.free_slots(), 2);
    for _ in 0..5 {
        stage.submit();
    }
    assert_eq!(stage.pool.free_slots(), 0);
}

#[test]
fn events_of_unknown_workers_and_attempts_change_nothing() {
    let mut stage = Stage::warm(|_| {});
    let before = stage.snapshot();
    stage.says(WorkerId(99), WorkerEvent::Ready);
    stage.exits(WorkerId(99), ExitStatus::Code(0));
    stage.step(PoolEvent::Recycle(WorkerId(99)));
    assert_eq!(stage.effects(), []);
    assert_eq!(stage.snapshot(), before);
}
