//! Leaving in order.

use muster_core::pool::{PoolEffect, PoolEvent, WorkerEvent};
use muster_core::process::ExitStatus;
use muster_protocol::CancelReason;

use super::stage::{Stage, cancelled, executed, failure, is_released, seconds, succeeded, success};

#[test]
fn a_drain_releases_what_waits_retires_what_rests_and_lets_the_rest_run() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.max_workers) = (2, 2));
    let (_, first, run) = stage.running(None);
    stage.step(PoolEvent::Resize { min_workers: 1, max_workers: 1 });
    stage.effects();
    let waiting = stage.submit();
    stage.step(PoolEvent::Drain { grace: seconds(300) });
    let finish = stage.finish();
    assert_eq!(finish.attempt, waiting);
    assert!(is_released(&finish.ending));
    stage.wait(seconds(200));
    assert_eq!(stage.state(first), "running");
    stage.effects();
    stage.succeeds(first, run);
    let effects = stage.effects();
    assert!(matches!(&effects[0], PoolEffect::Finish(finish) if finish.ending == succeeded()), "{effects:?}");
    assert!(matches!(effects[1], PoolEffect::Retire { .. }), "{effects:?}");
    let leaving: Vec<_> = stage.snapshot().workers.iter().map(|one| one.worker).collect();
    for worker in leaving {
        assert!(!stage.pool.is_drained());
        stage.exits(worker, ExitStatus::Code(0));
    }
    assert!(stage.pool.is_drained());
    assert_eq!(stage.spawns(), []);
}

#[test]
fn what_outlives_the_grace_is_cancelled_and_released() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, _) = stage.running(None);
    stage.step(PoolEvent::Drain { grace: seconds(30) });
    stage.wait_ms(29_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    assert!(
        matches!(effects[..], [PoolEffect::Cancel { reason: CancelReason::Shutdown, .. }]),
        "{effects:?}"
    );
    stage.wait(seconds(10));
    stage.exits(worker, ExitStatus::Signal(9));
    assert!(is_released(&stage.ending()));
    assert!(stage.pool.is_drained());
}

#[test]
fn a_second_word_cancels_at_once() {
    let mut stage = Stage::warm(|_| {});
    stage.running(None);
    stage.step(PoolEvent::Drain { grace: seconds(300) });
    stage.effects();
    stage.step(PoolEvent::DrainNow);
    assert!(matches!(stage.effects()[..], [PoolEffect::Cancel { reason: CancelReason::Shutdown, .. }]));
}

#[test]
fn what_comes_while_draining_is_released_at_once() {
    let mut stage = Stage::warm(|_| {});
    stage.step(PoolEvent::Drain { grace: seconds(300) });
    stage.effects();
    assert_eq!(stage.pool.free_slots(), 0);
    stage.submit();
    assert!(is_released(&stage.ending()));
}

#[test]
fn a_death_before_started_while_draining_is_released_not_rerouted() {
    let mut stage = Stage::warm(|_| {});
    stage.submit();
    let (worker, _) = stage.execute();
    stage.step(PoolEvent::Drain { grace: seconds(300) });
    stage.effects();
    stage.exits(worker, ExitStatus::Signal(9));
    assert!(is_released(&stage.ending()));
    assert!(stage.pool.is_drained());
}

#[test]
fn a_pool_that_starts_and_must_leave_leaves() {
    let mut stage = Stage::cold(|config| config.min_workers = 1);
    let worker = stage.spawns()[0];
    stage.step(PoolEvent::DrainNow);
    assert_eq!(stage.effects(), [], "there is no process to end yet");
    stage.says(worker, WorkerEvent::Spawned { pid: 7 });
    assert!(matches!(stage.effects()[..], [PoolEffect::Retire { .. }]));
    stage.exits(worker, ExitStatus::Code(0));
    assert!(stage.pool.is_drained());
}

#[test]
fn a_halt_lets_what_runs_take_its_time_and_can_still_be_hurried() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.step(PoolEvent::Halt);
    stage.wait(seconds(100_000_000));
    assert_eq!(stage.effects(), []);
    assert_eq!(stage.state(worker), "running");
    stage.step(PoolEvent::Drain { grace: seconds(1) });
    stage.wait(seconds(1));
    assert!(matches!(stage.effects()[..], [PoolEffect::Cancel { reason: CancelReason::Shutdown, .. }]));
    stage.finished(worker, run, cancelled());
    stage.idle(worker, run);
    assert!(is_released(&stage.ending()));
    stage.exits(worker, ExitStatus::Code(0));
    assert!(stage.pool.is_drained());
}

#[test]
fn a_halted_pool_answers_for_what_still_comes() {
    let mut stage = Stage::warm(|_| {});
    let worker = stage.snapshot().workers[0].worker;
    stage.step(PoolEvent::Halt);
    stage.exits(worker, ExitStatus::Code(0));
    stage.effects();
    assert!(!stage.pool.is_drained());
    stage.submit();
    assert!(is_released(&stage.ending()));
    stage.step(PoolEvent::DrainNow);
    assert!(stage.pool.is_drained());
}

#[test]
fn a_failure_that_halts_starts_nothing_that_waits() {
    for outcome in [failure("RangeError"), success()] {
        let halts = outcome != success();
        let mut stage = Stage::warm(|config| config.max_workers = 1);
        let first = stage.submit_halting();
        let (worker, run) = stage.execute();
        let second = stage.submit_halting();
        stage.says(worker, WorkerEvent::Started { run });
        stage.effects();
        stage.finished(worker, run, outcome);
        stage.idle(worker, run);
        let effects = stage.effects();
        assert!(matches!(&effects[0], PoolEffect::Finish(finish) if finish.attempt == first), "{effects:?}");
        if halts {
            assert!(
                matches!(&effects[1], PoolEffect::Finish(finish)
                    if finish.attempt == second && is_released(&finish.ending)),
                "{effects:?}"
            );
        } else {
            assert_eq!(executed(&effects[1]).map(|(_, _, attempt)| attempt), Some(second));
        }
    }
}
