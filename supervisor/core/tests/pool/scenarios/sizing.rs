//! How many workers there are.

use muster_core::pool::{KillCause, PoolEffect, PoolEvent, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;

use super::stage::{ALL, Stage, seconds};

#[test]
fn waiting_for_twenty_milliseconds_starts_as_many_as_wait() {
    let mut stage = Stage::warm(|config| config.max_workers = 10);
    stage.running(None);
    for _ in 0..3 {
        stage.submit();
    }
    stage.wait_ms(19);
    assert_eq!(stage.spawns(), []);
    stage.wait_ms(1);
    assert_eq!(stage.spawns().len(), 3);
    stage.wait(seconds(1));
    assert_eq!(stage.spawns(), [], "those that start are counted");
}

#[test]
fn never_more_than_the_ceiling() {
    let mut stage = Stage::warm(|config| config.max_workers = 3);
    for _ in 0..10 {
        stage.submit();
    }
    stage.effects();
    stage.wait(seconds(1));
    assert_eq!(stage.spawns().len(), 2);
}

#[test]
fn a_pool_of_zero_starts_a_worker_at_once() {
    let mut stage = Stage::cold(|config| config.min_workers = 0);
    assert_eq!(stage.spawns(), []);
    stage.submit();
    assert_eq!(stage.spawns().len(), 1);
}

#[test]
fn surplus_idle_workers_retire_the_coldest_first() {
    let mut stage = Stage::warm(|config| config.worker_idle = seconds(60));
    let first = stage.running(None);
    stage.submit();
    stage.wait_ms(20);
    let second = stage.spawns()[0];
    stage.becomes_ready(second, ALL);
    stage.says(second, WorkerEvent::Started { run: 1 });
    stage.succeeds(first.1, first.2);
    stage.wait(seconds(10));
    stage.succeeds(second, 1);
    stage.effects();
    stage.wait_ms(49_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    assert!(matches!(stage.effects()[..], [PoolEffect::Retire { worker, .. }] if worker == first.1));
    stage.exits(first.1, ExitStatus::Code(0));
    stage.wait(seconds(600));
    assert_eq!(stage.effects(), [], "the last one is warm for ever");
}

#[test]
fn a_retired_worker_that_stays_is_signalled_and_killed() {
    let mut stage = Stage::warm(|config| config.graceful_shutdown = seconds(5));
    stage.step(PoolEvent::Drain { grace: seconds(60) });
    assert!(matches!(stage.effects()[..], [PoolEffect::Retire { .. }]));
    stage.wait(seconds(5));
    let worker = WorkerId(1);
    assert_eq!(stage.effects(), [PoolEffect::Terminate { worker, cause: KillCause::Retired }]);
    stage.wait(seconds(5));
    assert_eq!(stage.effects(), [PoolEffect::Kill { worker, cause: KillCause::Retired }]);
    assert!(!stage.pool.is_drained());
    stage.exits(worker, ExitStatus::Signal(9));
    assert!(stage.pool.is_drained());
}

#[test]
fn a_smaller_ceiling_retires_idle_workers_at_once_and_busy_ones_after_their_run() {
    let mut stage = Stage::warm(|config| config.min_workers = 4);
    let runs = [stage.running(None), stage.running(None)];
    stage.step(PoolEvent::Resize { min_workers: 1, max_workers: 1 });
    let retired = stage.effects();
    assert!(matches!(retired[..], [PoolEffect::Retire { .. }, PoolEffect::Retire { .. }]), "{retired:?}");
    let (_, worker, run) = runs[0];
    stage.succeeds(worker, run);
    assert!(matches!(stage.effects()[..], [PoolEffect::Finish(_), PoolEffect::Retire { .. }]));
    assert_eq!(stage.snapshot().busy, 1);
}

#[test]
fn a_smaller_ceiling_holds_for_executions_too() {
    let mut stage = Stage::warm(|config| config.min_workers = 3);
    let runs = [stage.running(None), stage.running(None), stage.running(None)];
    stage.step(PoolEvent::Resize { min_workers: 1, max_workers: 1 });
    stage.submit();
    let (_, worker, run) = runs[0];
    stage.succeeds(worker, run);
    assert_eq!(stage.executes(), [], "two still run");
}

#[test]
fn a_larger_minimum_is_filled_at_once() {
    let mut stage = Stage::warm(|_| {});
    stage.step(PoolEvent::Resize { min_workers: 3, max_workers: 4 });
    assert_eq!(stage.spawns().len(), 2);
}
