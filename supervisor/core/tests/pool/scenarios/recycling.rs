//! Replacing workers without anybody noticing: recycling and reloads.

use muster_core::pool::{PoolConfig, PoolEffect, PoolEvent, ReloadSnapshot, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::ErrorInfo;

use super::stage::{ALL, Stage, executed, seconds, spawned};

#[test]
fn the_replacement_is_started_when_the_last_execution_begins() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.recycle_after_executions) = (2, 2));
    let (_, worker, run) = stage.running(None);
    stage.succeeds(worker, run);
    stage.effects();
    stage.submit();
    let effects = stage.effects();
    let [PoolEffect::Execute { worker: again, .. }, PoolEffect::Spawn { worker: replacement, .. }] =
        effects[..]
    else {
        panic!("{effects:?}")
    };
    assert_eq!(again, worker);
    stage.says(worker, WorkerEvent::Started { run: 2 });
    stage.succeeds(worker, 2);
    assert_eq!(stage.state(worker), "idle", "it serves until its replacement is Ready");
    stage.effects();
    stage.becomes_ready(replacement, ALL);
    let effects = stage.effects();
    assert!(
        matches!(effects[1..], [PoolEffect::Retire { worker: retired, .. }] if retired == worker),
        "{effects:?}"
    );
    assert_eq!(stage.snapshot().idle, 2);
}

/// The promise: with two warm workers and one execution each, one caller after another never waits for a spawn.
#[test]
fn with_one_execution_per_worker_an_unsaturated_pool_never_makes_anybody_wait() {
    let mut stage = Stage::warm(|config| {
        (config.min_workers, config.max_workers, config.recycle_after_executions) = (2, 10, 1)
    });
    let mut starting: Vec<(u64, WorkerId)> = Vec::new();
    for step in 0..1_000_u64 {
        // A start takes five times as long as an execution.
        starting.retain(|(ready_at, worker)| {
            let is_ready = *ready_at <= step;
            if is_ready {
                stage.becomes_ready(*worker, ALL);
            }
            !is_ready
        });
        retire_politely(&mut stage);
        stage.submit();
        let effects = stage.effects();
        let Some((worker, run, _)) = effects.iter().find_map(executed) else {
            panic!("execution {step} waits for a spawn: {effects:?}")
        };
        starting.extend(effects.iter().filter_map(spawned).map(|worker| (step + 5, worker)));
        stage.says(worker, WorkerEvent::Started { run });
        stage.wait_ms(1);
        stage.succeeds(worker, run);
        let finishes =
            stage.effects().into_iter().filter(|effect| matches!(effect, PoolEffect::Finish(_))).count();
        assert_eq!(finishes, 1, "recycling loses no result");
    }
    assert!(stage.snapshot().workers.iter().any(|worker| worker.worker.0 > 300), "workers are replaced");
}

fn retire_politely(stage: &mut Stage) {
    let leaving: Vec<WorkerId> =
        stage.snapshot().workers.iter().filter(|one| one.state == "leaving").map(|one| one.worker).collect();
    for worker in leaving {
        stage.exits(worker, ExitStatus::Code(0));
    }
}

#[test]
fn above_the_minimum_too_a_worker_serves_until_its_replacement_is_ready() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.recycle_after_executions) = (2, 1));
    let first = stage.running(None);
    stage.running(None);
    stage.step(PoolEvent::Resize { min_workers: 0, max_workers: 4 });
    stage.succeeds(first.1, first.2);
    assert_eq!(stage.state(first.1), "idle");
    assert_eq!(stage.snapshot().starting, 2);
    stage.becomes_ready(WorkerId(3), ALL);
    assert_eq!(stage.state(first.1), "leaving");
}

#[test]
fn the_number_of_executions_is_jittered_upward_by_at_most_a_tenth() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut stage = Stage::warm(|config| {
            (config.recycle_after_executions, config.jitter_seed) = (100, seed);
        });
        let mut executions = 0;
        while stage.snapshot().workers[0].due.is_none() {
            let attempt = stage.submit();
            let (worker, run, _) = stage.executes()[0];
            stage.says(worker, WorkerEvent::Started { run });
            stage.succeeds(worker, run);
            assert_eq!(stage.finish().attempt, attempt);
            executions += 1;
        }
        assert!((100..=110).contains(&executions), "{executions}");
        seen.insert(executions);
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[test]
fn a_worker_that_is_too_old_is_replaced() {
    let mut stage = Stage::warm(|config| config.recycle_after = seconds(100));
    stage.wait(seconds(100));
    let replacement = stage.spawns();
    assert_eq!(replacement.len(), 1);
    assert_eq!(stage.state(WorkerId(1)), "idle");
    stage.becomes_ready(replacement[0], ALL);
    assert_eq!(stage.state(WorkerId(1)), "leaving");
}

#[test]
fn a_replacement_that_cannot_start_leaves_the_old_worker_serving() {
    let mut stage = Stage::warm(|config| config.recycle_after_executions = 1);
    let (_, worker, run) = stage.running(None);
    stage.says(WorkerId(2), WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
    stage.succeeds(worker, run);
    stage.effects();
    assert_eq!(stage.running(None).1, worker);
}

#[test]
fn above_its_memory_limit_a_worker_gets_no_other_run() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 1_000);
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, super::stage::success());
    stage.says(worker, WorkerEvent::Idle { run, rss_bytes: 1_001, recycle: false });
    let effects = stage.effects();
    assert!(
        matches!(effects[..], [PoolEffect::Finish(_), PoolEffect::Retire { .. }, PoolEffect::Spawn { .. }]),
        "{effects:?}"
    );
}

#[test]
fn above_its_memory_limit_while_it_runs_the_replacement_is_started() {
    let mut stage = Stage::warm(|config| config.memory_limit_bytes = 1_000);
    let (_, worker, run) = stage.running(None);
    stage.says(worker, WorkerEvent::MemorySample { rss_bytes: 1_100 });
    let replacement = stage.spawns()[0];
    stage.becomes_ready(replacement, ALL);
    stage.finished(worker, run, super::stage::success());
    stage.says(worker, WorkerEvent::Idle { run, rss_bytes: 1_100, recycle: false });
    assert_eq!(stage.state(worker), "leaving");
    assert_eq!(stage.snapshot().idle, 1);
}

#[test]
fn a_worker_that_asks_is_replaced() {
    let mut stage = Stage::warm(|_| {});
    let (_, worker, run) = stage.running(None);
    stage.finished(worker, run, super::stage::success());
    stage.says(worker, WorkerEvent::Idle { run, rss_bytes: 0, recycle: true });
    assert_eq!(stage.state(worker), "leaving");
    assert_eq!(stage.snapshot().starting, 1);
}

#[test]
fn one_worker_can_be_recycled_by_hand() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.step(PoolEvent::Recycle(WorkerId(2)));
    let replacement = stage.spawns();
    assert_eq!(replacement, [WorkerId(3)]);
    stage.becomes_ready(WorkerId(3), ALL);
    assert_eq!((stage.state(WorkerId(1)), stage.state(WorkerId(2))), ("idle", "leaving"));
}

#[test]
fn all_are_recycled_one_by_one_and_never_fewer_serve() {
    let mut stage = Stage::warm(|config| config.min_workers = 3);
    stage.step(PoolEvent::RecycleAll);
    for _ in 0..3 {
        let replacement = stage.spawns();
        assert_eq!(replacement.len(), 1, "one at a time");
        stage.becomes_ready(replacement[0], ALL);
        assert_eq!(stage.snapshot().idle, 3);
    }
    assert_eq!(stage.spawns(), []);
    assert!(stage.snapshot().workers.iter().all(|one| one.state == "leaving" || one.worker.0 > 3));
}

#[test]
fn a_reload_touches_nobody_before_one_of_the_new_generation_is_ready() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.step(PoolEvent::Reload);
    assert_eq!(
        stage.effects(),
        [PoolEffect::Spawn { worker: WorkerId(3), generation: 1, offers_template: false }]
    );
    stage.wait_ms(500);
    assert_eq!(stage.effects(), []);
    stage.becomes_ready(WorkerId(3), ALL);
    let effects = stage.effects();
    assert!(
        matches!(effects[1..], [PoolEffect::Retire { .. }, PoolEffect::Spawn { generation: 1, .. }]),
        "{effects:?}"
    );
    stage.becomes_ready(WorkerId(4), ALL);
    assert!(stage.effects().contains(&PoolEffect::Reloaded { generation: 1 }));
    assert_eq!(stage.snapshot().reload, ReloadSnapshot::Settled);
    assert!(stage.snapshot().workers.iter().all(|one| one.state == "leaving" || one.generation == 1));
}

#[test]
fn a_new_generation_that_cannot_start_leaves_the_old_one_serving() {
    let mut stage = Stage::warm(|config| config.min_workers = 2);
    stage.step(PoolEvent::Reload);
    stage.says(WorkerId(3), WorkerEvent::Spawned { pid: 9 });
    stage.says(WorkerId(3), WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: ALL });
    stage.effects();
    stage.says(WorkerId(3), WorkerEvent::InitFailed { error: ErrorInfo::new("SyntaxError", "line 3") });
    let effects = stage.effects();
    assert!(
        matches!(effects[..], [PoolEffect::Retire { .. }, PoolEffect::ReloadFailed { generation: 1, .. }]),
        "{effects:?}"
    );
    stage.exits(WorkerId(3), ExitStatus::Code(69));
    let snapshot = stage.snapshot();
    assert_eq!((snapshot.idle, snapshot.generation), (2, 0));
    assert!(matches!(snapshot.reload, ReloadSnapshot::Failed { generation: 1, .. }));
    assert_eq!(snapshot.starts.consecutive_failures, 0, "the pool itself is well");
    stage.exits(WorkerId(1), ExitStatus::Signal(9));
    assert_eq!(
        stage.effects(),
        [PoolEffect::Spawn { worker: WorkerId(4), generation: 0, offers_template: false }]
    );
}

#[test]
fn a_reload_waits_for_nobodys_backoff() {
    let mut stage = Stage::cold(|_| {});
    stage.says(WorkerId(1), WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
    stage.effects();
    stage.step(PoolEvent::Reload);
    assert_eq!(
        stage.effects(),
        [PoolEffect::Spawn { worker: WorkerId(2), generation: 1, offers_template: false }]
    );
    stage.becomes_ready(WorkerId(2), ALL);
    assert!(stage.effects().contains(&PoolEffect::StartsRecovered));
}

#[test]
fn new_settings_hold_for_workers_that_live() {
    let mut stage = Stage::warm(|_| {});
    let mut effects = Vec::new();
    let config =
        PoolConfig { min_workers: 1, max_workers: 4, recycle_after_executions: 1, ..PoolConfig::default() };
    stage.pool.set_config(stage.now, config, &mut effects);
    assert_eq!(effects, []);
    stage.submit();
    assert_eq!(stage.spawns().len(), 1, "its first execution is its last");
}
