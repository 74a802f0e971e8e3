//! What is told of a worker that died.

use muster_core::execution::{EndKind, EscalationStep, KillReason, MemoryJudge, ResourceLimit};
use muster_core::pool::{DeathNotice, ProcessExit, WorkerDeath, WorkerEvent};
use muster_core::process::{ExitStatus, ProcessUsage};
use muster_protocol::{CancelReason, exit_code};

use super::stage::{NONE, Stage, error, seconds, success};

const KILLED: ExitStatus = ExitStatus::Signal(9);

/// The death of a worker that runs something and ends like this.
fn death_of(exit: ProcessExit) -> WorkerDeath {
    let mut stage = Stage::warm(|_| {});
    let (attempt, worker, _) = stage.running(None);
    stage.says(worker, WorkerEvent::Exited(exit));
    let death = stage.death();
    assert_eq!((death.worker, death.attempt), (worker, Some(attempt)));
    let told = stage.finish().end_cause;
    assert_eq!(told.as_deref(), Some(&death.cause), "the row says the same");
    death
}

#[test]
fn each_end_has_its_kind() {
    let refused = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
    let of_worker = EndKind::OutOfMemory { who: MemoryJudge::Worker };
    for (status, line, kind) in [
        (ExitStatus::Code(0), "", EndKind::Exited),
        (ExitStatus::Code(3), refused, EndKind::Exited),
        (ExitStatus::Code(exit_code::OUT_OF_MEMORY), "", of_worker),
        (ExitStatus::Signal(6), refused, of_worker),
        (ExitStatus::Signal(6), "", EndKind::Signalled),
        (KILLED, "", EndKind::Signalled),
        (ExitStatus::Signal(24), "", EndKind::Limit { which: ResourceLimit::Cpu }),
        (ExitStatus::Signal(25), "", EndKind::Limit { which: ResourceLimit::FileSize }),
        (ExitStatus::Unknown, "", EndKind::Vanished),
    ] {
        let death = death_of(ProcessExit::new(status, vec![line.to_owned()]));
        assert_eq!(death.cause.kind, kind, "{status}, {line}");
        assert_eq!(death.notice, DeathNotice::Unplanned, "{status}, {line}");
    }
}

#[test]
fn who_ended_it_for_want_of_memory_is_told() {
    for (who, status, kind) in [
        (MemoryJudge::Kernel, KILLED, EndKind::OutOfMemory { who: MemoryJudge::Kernel }),
        (MemoryJudge::Kernel, ExitStatus::Signal(11), EndKind::Signalled),
        (MemoryJudge::Kernel, ExitStatus::Code(1), EndKind::Exited),
        (MemoryJudge::Cgroup, KILLED, EndKind::OutOfMemory { who: MemoryJudge::Cgroup }),
        (MemoryJudge::Cgroup, ExitStatus::Code(1), EndKind::OutOfMemory { who: MemoryJudge::Cgroup }),
    ] {
        let exit = ProcessExit { memory_judge: Some(who), ..ProcessExit::new(status, Vec::new()) };
        assert_eq!(death_of(exit).cause.kind, kind, "{who:?}, {status}");
    }
}

#[test]
fn the_row_fails_as_out_of_memory_whoever_found_it() {
    for who in [MemoryJudge::Kernel, MemoryJudge::Cgroup] {
        let mut stage = Stage::warm(|_| {});
        let (_, worker, _) = stage.running(None);
        let exit = ProcessExit { memory_judge: Some(who), ..ProcessExit::new(KILLED, Vec::new()) };
        stage.says(worker, WorkerEvent::Exited(exit));
        let ending = stage.ending();
        let (kind, message) = error(&ending);
        assert_eq!(kind, "OutOfMemory");
        assert!(
            message.starts_with("the worker ran out of memory: ") && message.contains("SIGKILL"),
            "{message}"
        );
    }
}

#[test]
fn our_own_limit_is_told_with_what_it_held() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 100 << 20);
    let (_, worker, _) = stage.running(None);
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: 90 << 20 });
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: 200 << 20 });
    stage.exits(worker, KILLED);
    let cause = stage.death().cause;
    assert_eq!(cause.kind, EndKind::OutOfMemory { who: MemoryJudge::OurLimit });
    assert_eq!((cause.memory_peak_bytes, cause.memory_limit_bytes), (Some(200 << 20), Some(150 << 20)));
    assert!(cause.summary.contains("held 200 MiB, might hold 150"), "{}", cause.summary);
}

#[test]
fn how_far_we_had_to_go_is_told() {
    let by_us = |why, step| EndKind::KilledByUs { why, step };
    let timeout = |step| by_us(KillReason::Timeout, step);
    for (waits_ms, status, kind) in [
        (1_100, ExitStatus::Code(1), timeout(EscalationStep::Asked)),
        (1_100, ExitStatus::Signal(11), EndKind::Signalled),
        (2_100, ExitStatus::Signal(15), timeout(EscalationStep::Terminated)),
        (2_100, ExitStatus::Signal(9), EndKind::Signalled),
        (9_000, KILLED, timeout(EscalationStep::Killed)),
    ] {
        let mut stage = Stage::warm(|_| {});
        let (_, worker, _) = stage.running(Some(seconds(1)));
        stage.wait_ms(waits_ms);
        stage.exits(worker, status);
        assert_eq!(stage.death().cause.kind, kind, "{waits_ms} ms, {status}");
    }
    let mut stage = Stage::cold(|_| {});
    let worker = stage.spawns()[0];
    stage.becomes_ready(worker, NONE);
    stage.effects();
    let (attempt, worker, _) = stage.running(None);
    stage.cancel(attempt, CancelReason::User);
    stage.exits(worker, ExitStatus::Signal(15));
    assert_eq!(stage.death().cause.kind, by_us(KillReason::Cancelled, EscalationStep::Terminated));
}

#[test]
fn who_leaves_as_it_was_to_is_not_told_of() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 1_000);
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, success());
    stage.says(worker, WorkerEvent::Idle { run, rss_bytes: 1_001, recycle: false });
    stage.effects();
    stage.exits(worker, ExitStatus::Code(0));
    assert_eq!(stage.death().notice, DeathNotice::Planned);

    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, success());
    stage.exits(worker, ExitStatus::Code(0));
    assert_eq!(stage.death().notice, DeathNotice::Planned);
}

#[test]
fn a_death_without_a_run_is_told_and_one_of_a_start_is_told_as_that() {
    let mut stage = Stage::cold(|_| {});
    let worker = stage.spawns()[0];
    stage.says(worker, WorkerEvent::Spawned { pid: 100 });
    stage.exits(worker, ExitStatus::Code(1));
    let death = stage.death();
    assert_eq!((death.notice, death.attempt), (DeathNotice::FailedStart, None));

    let mut stage = Stage::cold(|_| {});
    let worker = stage.spawns()[0];
    stage.becomes_ready(worker, super::stage::ALL);
    stage.effects();
    stage.exits(worker, KILLED);
    let death = stage.death();
    assert_eq!((death.notice, death.cause.kind), (DeathNotice::Unplanned, EndKind::Signalled));
}

#[test]
fn what_it_used_and_said_last_is_told_within_bounds() {
    let mut stderr_tail: Vec<String> = (1..=15).map(|line| format!("line {line}")).collect();
    stderr_tail.push("\u{e4}".repeat(1_500));
    let usage =
        ProcessUsage { cpu: Some(std::time::Duration::from_micros(1_234_567)), memory_peak_bytes: Some(77) };
    let exit =
        ProcessExit { usage, descendants_left: 2, ..ProcessExit::new(ExitStatus::Code(1), stderr_tail) };
    let cause = death_of(exit.clone()).cause;
    assert_eq!(cause.stderr.len(), 1);
    assert!(cause.stderr[0].starts_with('\u{2026}') && cause.stderr[0].len() <= 2_051, "{cause:?}");
    assert_eq!((cause.cpu_ms, cause.memory_peak_bytes, cause.descendants_left), (Some(1_234), Some(77), 2));
    let json = serde_json::to_value(&cause).unwrap();
    assert_eq!((&json["kind"], &json["exit_code"]), (&"exited".into(), &1.into()), "{json}");
    let lines = (1..=15).map(|line| format!("line {line}")).collect();
    let cause = death_of(ProcessExit::new(ExitStatus::Code(1), lines)).cause;
    assert_eq!((cause.stderr.len(), cause.stderr[0].as_str()), (10, "line 6"));
}
