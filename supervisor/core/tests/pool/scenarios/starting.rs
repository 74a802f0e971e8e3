//! From spawn to Ready, and starts that fail.

use std::time::Duration;

use muster_core::pool::{KillCause, PoolEffect, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::ErrorInfo;

use super::stage::{ALL, NONE, Stage, error, is_released, seconds};

#[test]
fn the_warm_minimum_is_spawned_at_the_start() {
    let mut stage = Stage::cold(|config| config.min_workers = 3);
    assert_eq!(stage.spawns(), [WorkerId(1), WorkerId(2), WorkerId(3)]);
}

#[test]
fn hello_is_answered_with_the_version_both_speak() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.effects();
    stage.says(WorkerId(1), WorkerEvent::Hello { protocol_min: 1, protocol_max: 9, features: ALL });
    assert_eq!(stage.effects(), [PoolEffect::Welcome { worker: WorkerId(1), protocol: 1, features: ALL }]);
    assert_eq!(stage.state(WorkerId(1)), "starting");
    stage.says(WorkerId(1), WorkerEvent::Ready);
    assert_eq!(stage.state(WorkerId(1)), "idle");
}

#[test]
fn no_common_version_is_a_failed_start() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.effects();
    stage.says(WorkerId(1), WorkerEvent::Hello { protocol_min: 2, protocol_max: 3, features: ALL });
    let effects = stage.effects();
    assert!(matches!(&effects[0], PoolEffect::Retire { .. }), "{effects:?}");
    assert!(
        matches!(&effects[1], PoolEffect::StartFailed { message, .. } if message.contains("2 to 3")),
        "{effects:?}"
    );
}

#[test]
fn a_worker_that_says_nothing_is_killed_after_ten_seconds() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.effects();
    stage.wait_ms(9_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    assert_eq!(effects[0], PoolEffect::Kill { worker: WorkerId(1), cause: KillCause::StartTimeout });
    assert!(matches!(effects[1], PoolEffect::StartFailed { consecutive: 1, .. }), "{effects:?}");
}

#[test]
fn a_worker_that_never_gets_ready_is_killed_after_worker_start() {
    let mut stage = Stage::cold(|config| config.worker_start = seconds(30));
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.says(WorkerId(1), WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: ALL });
    stage.effects();
    stage.wait_ms(29_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    assert!(matches!(stage.effects()[0], PoolEffect::Kill { cause: KillCause::StartTimeout, .. }));
}

#[test]
fn a_failed_start_quotes_exit_status_and_stderr() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    let stderr_tail = vec!["Traceback".to_owned(), "ImportError: no module named x".to_owned()];
    let exit = muster_core::pool::ProcessExit::new(ExitStatus::Code(1), stderr_tail);
    stage.effects();
    stage.says(WorkerId(1), WorkerEvent::Exited(exit));
    let effects = stage.effects();
    let PoolEffect::StartFailed { message, .. } = &effects[0] else { panic!("{effects:?}") };
    assert!(message.contains("exit status 1") && message.contains("ImportError"), "{message}");
}

#[test]
fn failed_starts_back_off_one_at_a_time_up_to_ten_seconds() {
    let mut stage = Stage::cold(|config| config.min_workers = 2);
    let mut waits = Vec::new();
    for _ in 0..12 {
        for worker in stage.spawns() {
            stage.says(worker, WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
        }
        let effects = stage.effects();
        for effect in &effects {
            assert!(matches!(effect, PoolEffect::StartFailed { .. }), "no spawn without a wait: {effect:?}");
            if let PoolEffect::StartFailed { retry_in, .. } = effect {
                waits.push(*retry_in);
            }
        }
        stage.wait(waits[waits.len() - 1]);
    }
    assert_eq!(waits.len(), 13, "two at the start, then one at a time");
    assert!(waits[0] >= Duration::from_millis(200) && waits[0] <= Duration::from_millis(250), "{waits:?}");
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0].mul_f64(0.8)), "{waits:?}");
    assert!(waits[12] >= seconds(10) && waits[12] <= Duration::from_millis(12_500), "{waits:?}");
}

#[test]
fn one_ready_worker_ends_the_trouble_and_the_pool_fills_up() {
    let mut stage = Stage::cold(|config| config.min_workers = 3);
    for worker in stage.spawns() {
        stage.says(worker, WorkerEvent::SpawnFailed { message: "busy".to_owned() });
    }
    stage.effects();
    stage.wait(seconds(2));
    let tried = stage.spawns();
    assert_eq!(tried.len(), 1);
    stage.becomes_ready(tried[0], ALL);
    let effects = stage.effects();
    assert!(effects.contains(&PoolEffect::StartsRecovered), "{effects:?}");
    assert_eq!(effects.iter().filter(|effect| matches!(effect, PoolEffect::Spawn { .. })).count(), 2);
    assert_eq!(stage.snapshot().starts.consecutive_failures, 0);
    assert_eq!(
        stage.snapshot().starts.last_message.as_deref(),
        Some("the process could not be started: busy")
    );
}

#[test]
fn a_ready_worker_that_ends_is_replaced_without_backoff() {
    let mut stage = Stage::warm(|_| {});
    stage.exits(WorkerId(1), ExitStatus::Signal(9));
    assert_eq!(stage.spawns(), [WorkerId(2)]);
}

#[test]
fn init_failed_says_why_and_the_worker_may_leave_by_itself() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    stage.says(WorkerId(1), WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: NONE });
    stage.effects();
    let error = ErrorInfo::new("SyntaxError", "line 3");
    stage.says(WorkerId(1), WorkerEvent::InitFailed { error });
    let effects = stage.effects();
    assert!(
        matches!(&effects[1], PoolEffect::StartFailed { message, .. } if message.contains("SyntaxError: line 3")),
        "{effects:?}"
    );
    stage.exits(WorkerId(1), ExitStatus::Code(69));
    assert_eq!(stage.effects(), [], "charged once");
}

#[test]
fn a_batch_gives_up_after_five_failed_starts() {
    let mut stage = Stage::cold(|config| config.give_up_after_start_failures = Some(5));
    let first = stage.submit();
    for _ in 0..5 {
        for worker in stage.spawns() {
            stage.says(worker, WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
        }
        if !stage.snapshot().starts.gave_up {
            stage.effects();
            stage.wait(seconds(3));
        }
    }
    let finish = stage.finish();
    assert_eq!(finish.attempt, first);
    let (kind, message) = error(&finish.ending);
    assert_eq!(kind, "WorkerInitFailed");
    assert!(message.contains("5 times in a row") && message.contains("no such file"), "{message}");
    stage.submit();
    assert_eq!(error(&stage.ending()).0, "WorkerInitFailed", "what comes later fails at once");
}

#[test]
fn a_service_never_fails_what_waits_but_gives_it_back() {
    let mut stage = Stage::cold(|config| config.worker_start = seconds(20));
    stage.submit();
    for _ in 0..60 {
        for worker in stage.spawns() {
            stage.says(worker, WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
        }
        if stage.snapshot().waiting == 0 {
            break;
        }
        stage.effects();
        stage.wait_ms(500);
    }
    assert!(stage.now.since_start() >= seconds(20));
    assert!(stage.finishes().iter().all(|finish| is_released(&finish.ending)));
    assert_eq!(stage.snapshot().waiting, 0);
}

#[test]
fn a_worker_given_up_before_its_process_exists_is_killed_when_it_does() {
    let mut stage = Stage::cold(|_| {});
    stage.effects();
    stage.wait(seconds(10));
    assert!(
        stage.effects().iter().all(|effect| !matches!(effect, PoolEffect::Kill { .. })),
        "nothing to kill yet"
    );
    stage.says(WorkerId(1), WorkerEvent::Spawned { pid: 7 });
    assert_eq!(stage.effects(), [PoolEffect::Kill { worker: WorkerId(1), cause: KillCause::StartTimeout }]);
}
