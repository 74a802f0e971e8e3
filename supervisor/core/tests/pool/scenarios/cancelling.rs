//! Timeouts and cancels, and what follows when they are not heeded.

use std::time::Duration;

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::{Assignment, KillCause, PoolEffect, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::CancelReason;

use super::stage::{
    ALL, NONE, Stage, cancelled, error, executed, failure, is_released, seconds, succeeded, success,
};

const TIMEOUT: KillCause = KillCause::Cancelled(CancelReason::Timeout);

#[test]
fn a_timeout_is_counted_from_started() {
    let mut stage = Stage::warm(|_| {});
    stage.submit_with(Some(seconds(1)));
    let (worker, run) = stage.execute();
    stage.wait(seconds(5));
    stage.says(worker, WorkerEvent::Started { run });
    stage.effects();
    stage.wait_ms(999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    assert!(matches!(effects[0], PoolEffect::Cancel { reason: CancelReason::Timeout, .. }), "{effects:?}");
}

#[test]
fn what_was_said_while_the_shell_stood_still_is_heard_before_deadlines_count() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.max_workers) = (2, 2));
    let (in_time, first, first_run) = stage.running(Some(seconds(1)));
    let (late, ..) = stage.running(Some(seconds(1)));
    stage.stand_still(seconds(6));
    // Whatever else the shell happens to hear of first.
    let waiting = stage.submit_with(Some(seconds(1)));
    stage.finished(first, first_run, success());
    stage.says(first, WorkerEvent::Idle { run: first_run, rss_bytes: 1_000, recycle: false });
    let effects = stage.effects();
    assert_eq!(effects.iter().filter_map(cancelled_attempt).count(), 0, "{effects:?}");
    let succeeds = |effect: &PoolEffect| matches!(effect, PoolEffect::Finish(finish) if finish.attempt == in_time && finish.ending == succeeded());
    assert!(effects.iter().any(succeeds), "{effects:?}");
    assert!(effects.iter().filter_map(executed).any(|(.., attempt)| attempt == waiting), "{effects:?}");
    stage.wait_ms(0);
    let cancelled: Vec<_> = stage.effects().iter().filter_map(cancelled_attempt).collect();
    assert_eq!(cancelled, [late]);
}

/// The attempt that an effect asks a worker to end.
fn cancelled_attempt(effect: &PoolEffect) -> Option<Attempt> {
    if let PoolEffect::Cancel { attempt, .. } = effect { Some(*attempt) } else { None }
}

#[test]
fn a_worker_that_heeds_the_cancel_is_used_again() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(Some(seconds(1)));
    stage.wait(seconds(1));
    stage.effects();
    stage.wait_ms(20);
    stage.finished(worker, run, cancelled());
    stage.idle(worker, run);
    let finish = stage.finish();
    assert!(matches!(finish.ending, RunEnding::TimedOut { .. }), "{finish:?}");
    assert_eq!(finish.duration, Some(Duration::from_millis(1_020)));
    assert_eq!(stage.running(None).1, worker);
}

#[test]
fn one_that_ignores_everything_gets_cancel_dump_sigterm_sigkill() {
    let mut stage = Stage::warm(|config| config.graceful_shutdown = seconds(3));
    let (_, worker, _) = stage.running(Some(seconds(1)));
    stage.wait(seconds(1));
    assert!(matches!(stage.effects()[0], PoolEffect::Cancel { grace, .. } if grace == seconds(1)));
    stage.wait_ms(899);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    assert!(matches!(stage.effects()[..], [PoolEffect::Dump { .. }]));
    stage.wait_ms(100);
    // It will not serve any more, so its replacement is started at once.
    let effects = stage.effects();
    assert_eq!(effects[0], PoolEffect::Terminate { worker, cause: TIMEOUT });
    assert!(matches!(effects[1..], [PoolEffect::Spawn { .. }]), "{effects:?}");
    stage.wait_ms(2_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    assert_eq!(stage.effects(), [PoolEffect::Kill { worker, cause: TIMEOUT }]);
    stage.exits(worker, ExitStatus::Signal(9));
    let finish = stage.finish();
    assert!(
        matches!(&finish.ending, RunEnding::TimedOut { message } if message.contains("killed")),
        "{finish:?}"
    );
    assert_eq!(finish.duration, Some(seconds(5)));
}

#[test]
fn a_worker_without_cancel_goes_straight_to_sigterm() {
    let mut stage = Stage::cold(|_| {});
    stage.becomes_ready(WorkerId(1), NONE);
    stage.effects();
    let (_, worker, _) = stage.running(Some(seconds(1)));
    stage.wait(seconds(1));
    assert_eq!(stage.effects()[0], PoolEffect::Terminate { worker, cause: TIMEOUT });
}

#[test]
fn twenty_timeouts_at_once_are_no_later_than_one() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.max_workers) = (20, 20));
    for _ in 0..20 {
        stage.running(Some(seconds(1)));
    }
    stage.wait(seconds(1));
    let cancels = stage.effects().iter().filter(|effect| matches!(effect, PoolEffect::Cancel { .. })).count();
    assert_eq!(cancels, 20);
}

#[test]
fn a_finished_read_before_the_cancel_stands() {
    let mut stage = Stage::warm(|_| {});
    let (attempt, worker, run) = stage.running(Some(seconds(1)));
    stage.finished(worker, run, success());
    stage.cancel(attempt, CancelReason::User);
    stage.wait(seconds(2));
    stage.idle(worker, run);
    assert_eq!(stage.ending(), succeeded());
    assert_eq!(stage.state(worker), "idle");
}

#[test]
fn a_success_after_the_cancel_was_written_is_what_the_first_reason_says() {
    let is_right = |reason, ending: &RunEnding| match reason {
        CancelReason::User => matches!(ending, RunEnding::Cancelled { .. }),
        CancelReason::Timeout => matches!(ending, RunEnding::TimedOut { .. }),
        CancelReason::Shutdown => *ending == succeeded(),
        CancelReason::LeaseLost => *ending == RunEnding::Superseded,
    };
    for reason in [CancelReason::User, CancelReason::Timeout, CancelReason::Shutdown, CancelReason::LeaseLost]
    {
        let mut stage = Stage::warm(|_| {});
        let (attempt, worker, run) = stage.running(None);
        stage.cancel(attempt, reason);
        stage.cancel(attempt, CancelReason::User);
        stage.succeeds(worker, run);
        let ending = stage.ending();
        assert!(is_right(reason, &ending), "{reason:?}: {ending:?}");
    }
}

#[test]
fn a_shutdown_keeps_a_success_and_releases_the_rest_when_the_process_is_gone() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let (attempt, worker, run) = stage.running(None);
    stage.cancel(attempt, CancelReason::Shutdown);
    stage.finished(worker, run, failure("ValueError"));
    stage.idle(worker, run);
    assert!(is_released(&stage.ending()), "it said itself that it is done");

    let (attempt, worker, _) = stage.running(None);
    stage.cancel(attempt, CancelReason::Shutdown);
    stage.wait(seconds(60));
    assert_eq!(stage.finishes(), [], "it may still run");
    stage.exits(worker, ExitStatus::Signal(9));
    assert!(is_released(&stage.ending()));
}

#[test]
fn what_waits_is_cancelled_at_once() {
    let mut stage = Stage::warm(|config| config.max_workers = 1);
    stage.running(None);
    let waiting = stage.submit();
    stage.cancel(waiting, CancelReason::User);
    assert!(matches!(stage.ending(), RunEnding::Cancelled { .. }));
    let waiting = stage.submit();
    stage.cancel(waiting, CancelReason::LeaseLost);
    assert_eq!(stage.ending(), RunEnding::Superseded);
    let waiting = stage.submit();
    stage.cancel(waiting, CancelReason::Shutdown);
    assert!(is_released(&stage.ending()));
}

#[test]
fn a_cancelled_run_whose_worker_dies_before_started_is_not_rerouted() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let attempt = stage.submit();
    let (worker, _) = stage.execute();
    stage.cancel(attempt, CancelReason::User);
    stage.exits(worker, ExitStatus::Code(1));
    assert!(matches!(stage.ending(), RunEnding::Cancelled { .. }));
}

#[test]
fn a_cancel_during_the_kill_of_a_silent_worker_is_not_forgotten() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    let attempt = stage.submit();
    let (worker, _) = stage.execute();
    stage.wait(seconds(10));
    stage.cancel(attempt, CancelReason::User);
    stage.exits(worker, ExitStatus::Signal(9));
    assert!(matches!(stage.ending(), RunEnding::Cancelled { .. }));
}

#[test]
fn a_late_result_during_the_kill_grace_never_makes_a_dying_worker_idle() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(Some(seconds(1)));
    stage.wait(seconds(2));
    assert_eq!(stage.state(worker), "terminating");
    stage.effects();
    stage.succeeds(worker, run);
    assert!(matches!(stage.ending(), RunEnding::TimedOut { .. }));
    assert_eq!(stage.state(worker), "terminating", "it leaves all the same");
    stage.submit();
    assert_eq!(stage.executes(), [], "and gets nothing more");
    stage.wait(seconds(5));
    assert!(stage.effects().contains(&PoolEffect::Kill { worker, cause: KillCause::Retired }));
}

#[test]
fn cooperation_without_idle_in_the_grace_is_no_health() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(Some(seconds(1)));
    stage.wait(seconds(1));
    stage.finished(worker, run, cancelled());
    stage.wait(seconds(1));
    assert_eq!(stage.state(worker), "terminating");
    stage.exits(worker, ExitStatus::Signal(15));
    assert!(matches!(stage.ending(), RunEnding::TimedOut { .. }));
}

#[test]
fn a_cancel_outcome_of_the_workers_own_is_a_timeout_only_at_the_deadline() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(Some(seconds(1)));
    stage.wait_ms(960);
    stage.finished(worker, run, cancelled());
    stage.idle(worker, run);
    assert!(matches!(stage.ending(), RunEnding::TimedOut { .. }), "its clock began a moment before ours");

    let (_, worker, run) = stage.running(Some(seconds(1)));
    stage.wait_ms(500);
    stage.finished(worker, run, cancelled());
    stage.idle(worker, run);
    let ending = stage.ending();
    assert_eq!(error(&ending).0, "ExecutionError", "{ending:?}");
}

#[test]
fn a_short_graceful_shutdown_shortens_the_cancel_grace() {
    let mut stage = Stage::cold(|config| config.graceful_shutdown = Duration::from_millis(600));
    stage.becomes_ready(WorkerId(1), ALL);
    stage.effects();
    let (attempt, worker, _) = stage.running(None);
    stage.cancel(attempt, CancelReason::User);
    stage.effects();
    stage.wait_ms(300);
    assert_eq!(stage.state(worker), "terminating");
}

/// What the code declares is known once a worker is there, after the attempt was submitted.
#[test]
fn a_limit_that_is_known_only_at_execute_counts_from_started() {
    let mut stage = Stage::warm(|_| {});
    let attempt = stage.submit();
    let (worker, run) = stage.execute();
    let limited = |timeout| Assignment { attempt, organization_id: None, timeout, halts: false };
    stage.pool.refine(worker, limited(Some(seconds(1))));
    stage.wait_ms(500);
    stage.says(worker, WorkerEvent::Started { run });
    // Later it is as it was.
    stage.pool.refine(worker, limited(None));
    stage.wait_ms(999);
    assert!(!stage.effects().iter().any(|effect| matches!(effect, PoolEffect::Cancel { .. })));
    stage.wait_ms(1);
    let effects = stage.effects();
    let is_timeout =
        |effect: &PoolEffect| matches!(effect, PoolEffect::Cancel { reason: CancelReason::Timeout, .. });
    assert!(effects.iter().any(is_timeout), "{effects:?}");
}
