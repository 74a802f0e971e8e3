//! How the evidence becomes an ending.

use muster_core::execution::RunEnding;
use muster_core::pool::{ProcessExit, WorkerEvent};
use muster_core::process::ExitStatus;
use muster_protocol::RunOutcome;

use super::stage::{Stage, cancelled, error, failure, seconds, succeeded, success};

fn ending_of(outcome: RunOutcome) -> RunEnding {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, outcome);
    stage.idle(worker, run);
    stage.ending()
}

#[test]
fn a_failure_keeps_its_kind_word_for_word() {
    assert_eq!(error(&ending_of(failure("requests.HTTPError"))).0, "requests.HTTPError");
}

#[test]
fn a_failure_without_a_kind_is_an_execution_error() {
    assert_eq!(error(&ending_of(failure(""))).0, "ExecutionError");
}

#[test]
fn a_users_error_with_one_of_our_names_is_told_from_ours() {
    assert_eq!(error(&ending_of(failure("TimeoutError"))).0, "User.TimeoutError");
    assert_eq!(error(&ending_of(failure("WorkflowNotFound"))).0, "User.WorkflowNotFound");
    assert_eq!(error(&ending_of(failure("ExecutionError"))).0, "ExecutionError", "anybody may use this one");
    for raised_by_sdks in ["InvalidResult", "ResultTooLarge", "OutOfMemory"] {
        assert_eq!(error(&ending_of(failure(raised_by_sdks))).0, raised_by_sdks);
    }
}

#[test]
fn what_the_sdk_says_on_our_behalf_stays() {
    assert_eq!(error(&ending_of(failure("ResultTooLarge"))).0, "ResultTooLarge");
    assert_eq!(error(&ending_of(failure("InvalidResult"))).0, "InvalidResult");
}

#[test]
fn rejected_is_workflow_not_found_and_never_rerouted() {
    let reason = "no workflow `greet`; there are: hello".to_owned();
    let ending = ending_of(RunOutcome::Rejected { reason: reason.clone() });
    assert_eq!(error(&ending), ("WorkflowNotFound", reason.as_str()), "also after Started");

    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.submit();
    let (worker, run) = stage.execute();
    stage.finished(worker, run, RunOutcome::Rejected { reason });
    stage.idle(worker, run);
    let finish = stage.finish();
    assert_eq!(error(&finish.ending).0, "WorkflowNotFound");
    assert_eq!(finish.duration, None);
}

#[test]
fn a_cancellation_nobody_asked_for_is_a_failure() {
    let ending = ending_of(cancelled());
    let (kind, message) = error(&ending);
    assert_eq!(kind, "ExecutionError");
    assert!(message.contains("nobody"), "{message}");
}

#[test]
fn a_reply_followed_by_an_exit_is_a_reply() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, success());
    stage.exits(worker, ExitStatus::Code(1));
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn a_crash_says_what_is_known() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, _) = stage.running(None);
    stage.wait_ms(1_500);
    let stderr_tail = (1..=15).map(|line| format!("line {line}")).collect();
    stage.says(worker, WorkerEvent::Exited(ProcessExit::new(ExitStatus::Signal(11), stderr_tail)));
    let finish = stage.finish();
    let (kind, message) = error(&finish.ending);
    assert_eq!(kind, "WorkerCrashed");
    assert!(message.contains("signal 11 (SIGSEGV)") && message.contains("1.500 s"), "{message}");
    assert!(!message.contains("line 5\n") && message.contains("line 6\n") && message.ends_with("line 15"));
    assert_eq!(finish.duration, Some(std::time::Duration::from_millis(1_500)));
}

#[test]
fn a_runtime_that_gave_up_for_want_of_memory_is_named() {
    let refused = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    for (status, line, kind) in [
        (ExitStatus::Signal(6), refused, "OutOfMemory"),
        (ExitStatus::Signal(6), "memory allocation of 1048576 bytes failed", "OutOfMemory"),
        (ExitStatus::Signal(6), "assertion failed", "WorkerCrashed"),
        (ExitStatus::Signal(11), refused, "WorkerCrashed"),
        (ExitStatus::Code(1), refused, "WorkerCrashed"),
    ] {
        let mut stage = Stage::warm(|_| {});
        let (_, worker, _) = stage.running(None);
        let stderr_tail = vec!["before".to_owned(), line.to_owned(), "1: 0xb78db3 node::Abort".to_owned()];
        stage.says(worker, WorkerEvent::Exited(ProcessExit::new(status, stderr_tail)));
        let ending = stage.ending();
        let (told, message) = error(&ending);
        assert_eq!(told, kind, "{status}, {line}");
        assert!(message.contains(line) && message.contains(&status.to_string()), "{message}");
    }
}

#[test]
fn a_crash_with_long_lines_keeps_the_end_within_two_kibibytes() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, _) = stage.running(None);
    let stderr_tail = vec!["ä".repeat(5_000), "the last word".to_owned()];
    stage.says(worker, WorkerEvent::Exited(ProcessExit::new(ExitStatus::Code(2), stderr_tail)));
    let ending = stage.ending();
    let (_, message) = error(&ending);
    assert!(message.len() <= 2_048 && message.ends_with("the last word"), "{} bytes", message.len());
}

#[test]
fn memory_far_above_the_limit_kills_the_run() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 100 << 20);
    let (_, worker, _) = stage.running(None);
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: 150 << 20 });
    assert_eq!(stage.state(worker), "running");
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: (150 << 20) + 1 });
    assert_eq!(stage.state(worker), "killed");
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(error(&stage.ending()).0, "OutOfMemory");
}

#[test]
fn a_result_that_was_complete_before_the_kill_for_memory_wins() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 100 << 20);
    let (_, worker, run) = stage.running(None);
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: 200 << 20 });
    stage.finished(worker, run, success());
    stage.exits(worker, ExitStatus::Signal(9));
    assert_eq!(stage.ending(), succeeded());
}

#[test]
fn a_started_that_came_too_late_is_a_crash_and_not_run_again() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.submit();
    let (worker, run) = stage.execute();
    stage.wait(seconds(10));
    stage.says(worker, WorkerEvent::Started { run });
    stage.exits(worker, ExitStatus::Signal(9));
    let ending = stage.ending();
    let (kind, message) = error(&ending);
    assert_eq!(kind, "WorkerCrashed");
    assert!(message.contains("not saying Started in time"), "{message}");
}

#[test]
fn goodbye_with_a_run_in_hand_is_a_crash_that_says_so() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, _) = stage.running(None);
    stage.says(worker, WorkerEvent::Goodbye { reason: "parent said so".to_owned() });
    stage.exits(worker, ExitStatus::Code(0));
    let ending = stage.ending();
    let (kind, message) = error(&ending);
    assert_eq!(kind, "WorkerCrashed");
    assert!(message.contains("parent said so"), "{message}");
}
