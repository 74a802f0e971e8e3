//! Workers that break the conversation.

use muster_core::pool::{KillCause, PoolEffect, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;

use super::stage::{ALL, Stage, error, failure, succeeded, success};

#[test]
fn a_second_finished_kills_the_worker_and_the_first_stands() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, success());
    stage.finished(worker, run, failure("Late"));
    assert_eq!(stage.effects()[0], PoolEffect::Kill { worker, cause: KillCause::Violation });
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn started_after_finished_kills_the_worker_and_the_outcome_stands() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, success());
    stage.says(worker, WorkerEvent::Started { run });
    assert_eq!(stage.state(worker), "killed");
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn a_frame_for_a_run_that_never_existed_is_a_violation() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run + 1, success());
    stage.exits(worker, ExitStatus::Signal(9));
    let ending = stage.ending();
    let (kind, message) = error(&ending);
    assert_eq!(kind, "ProtocolViolation");
    assert!(message.contains("run 2"), "{message}");
}

#[test]
fn frames_for_a_run_that_has_ended_are_counted_and_dropped() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.succeeds(worker, run);
    stage.effects();
    stage.finished(worker, run, failure("Late"));
    let (_, _, second) = stage.running(None);
    stage.idle(worker, run);
    assert_eq!(stage.effects(), []);
    assert_eq!(stage.snapshot().stale_frames, 2);
    stage.succeeds(worker, second);
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn idle_without_finished_is_a_violation() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.idle(worker, run);
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(error(&stage.ending()).0, "ProtocolViolation");
}

#[test]
fn stray_text_on_stdout_fails_the_run_and_costs_only_the_worker() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, _) = stage.running(None);
    stage.pollutes(worker);
    let effects = stage.effects();
    assert_eq!(effects[0], PoolEffect::Kill { worker, cause: KillCause::Violation });
    assert!(matches!(effects[1..], [PoolEffect::Spawn { .. }]), "its replacement: {effects:?}");
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(error(&stage.ending()), ("StdoutPolluted", "hello world"));
}

#[test]
fn an_idle_worker_that_pollutes_is_killed_and_replaced() {
    let mut stage = Stage::warm(|_| {});
    stage.pollutes(WorkerId(1));
    let effects = stage.effects();
    assert!(matches!(effects[..], [PoolEffect::Kill { .. }, PoolEffect::Spawn { .. }]), "{effects:?}");
    stage.submit();
    assert_eq!(stage.executes(), []);
}

#[test]
fn ready_before_hello_is_a_failed_start() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.effects();
    stage.says(WorkerId(1), WorkerEvent::Ready);
    let effects = stage.effects();
    assert!(matches!(effects[..], [PoolEffect::Kill { .. }, PoolEffect::StartFailed { .. }]), "{effects:?}");
}

#[test]
fn a_second_hello_is_a_violation() {
    let mut stage = Stage::warm(|_| {});
    let hello = WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: ALL };
    stage.says(WorkerId(1), hello);
    assert_eq!(stage.state(WorkerId(1)), "killed");
}
