//! A process for each execution, and what a changed isolation does to a pool that runs.

use muster_core::pool::{
    Isolation, PoolConfig, PoolEffect, PoolEvent, ReloadSnapshot, WorkerEvent, WorkerId,
};
use muster_core::process::ExitStatus;

use super::stage::{ALL, Stage, executed, retired, seconds, spawned};

fn of_executions(min_workers: usize, max_workers: usize) -> Stage {
    Stage::warm(|config| {
        (config.min_workers, config.max_workers) = (min_workers, max_workers);
        config.isolation = Isolation::Execution;
    })
}

#[test]
fn a_worker_has_one_execution_in_its_life() {
    let mut stage = of_executions(1, 1);
    stage.submit();
    stage.submit();
    let effects = stage.effects();
    let (first, run, _) = effects.iter().find_map(executed).unwrap();
    let second = effects.iter().find_map(spawned).unwrap();
    stage.says(first, WorkerEvent::Started { run });
    stage.succeeds(first, run);
    assert_eq!(retired(&stage.effects()), [first], "though nobody is Ready to replace it");
    stage.wait(seconds(1));
    assert_eq!(stage.executes(), []);
    stage.becomes_ready(second, ALL);
    assert_eq!(stage.execute().0, second);
}

#[test]
fn as_many_workers_stand_ready_as_run_and_user_code_is_in_no_more_than_the_ceiling() {
    let mut stage = of_executions(1, 3);
    for _ in 0..9 {
        stage.submit();
    }
    stage.wait_ms(20);
    for _ in 0..10 {
        for worker in stage.spawns() {
            stage.becomes_ready(worker, ALL);
        }
        stage.wait_ms(20);
    }
    let snapshot = stage.snapshot();
    assert_eq!((snapshot.running, snapshot.idle, snapshot.starting), (3, 3, 0), "{snapshot:?}");
    let run = snapshot.workers[0].worker;
    stage.says(run, WorkerEvent::Started { run: 1 });
    stage.succeeds(run, 1);
    assert_eq!(stage.executes().len(), 1, "at the end of a run the next one has its worker");
    assert_eq!(stage.snapshot().running, 3);
}

#[test]
fn the_pool_comes_to_rest_at_its_warm_minimum() {
    let mut stage = of_executions(2, 4);
    for _ in 0..20 {
        stage.submit();
        let effects = stage.effects();
        let (worker, run, _) = effects.iter().find_map(executed).unwrap();
        effects.iter().filter_map(spawned).for_each(|fresh| stage.becomes_ready(fresh, ALL));
        stage.says(worker, WorkerEvent::Started { run });
        stage.wait_ms(5);
        stage.succeeds(worker, run);
        stage.exits(worker, ExitStatus::Code(0));
    }
    stage.wait(seconds(200));
    let snapshot = stage.snapshot();
    assert_eq!((snapshot.idle, snapshot.starting, snapshot.workers.len()), (2, 0, 2), "{snapshot:?}");
}

#[test]
fn an_attempt_whose_worker_died_before_it_began_gets_a_fresh_one() {
    let mut stage = of_executions(2, 2);
    let attempt = stage.submit();
    let (first, _, _) = stage.executes()[0];
    stage.exits(first, ExitStatus::Signal(9));
    let effects = stage.effects();
    let (second, run, again) = effects.iter().find_map(executed).unwrap();
    assert_eq!((again, run), (attempt, 1));
    assert_ne!(second, first);
}

#[test]
fn a_reload_replaces_those_that_stand_ready() {
    let mut stage = of_executions(2, 2);
    stage.submit();
    let (busy, run, _) = stage.executes()[0];
    stage.becomes_ready(WorkerId(3), ALL);
    stage.step(PoolEvent::Reload);
    for _ in 0..5 {
        for worker in stage.spawns() {
            stage.becomes_ready(worker, ALL);
        }
    }
    assert_eq!(stage.snapshot().reload, ReloadSnapshot::Rolling, "one of the old generation still runs");
    stage.says(busy, WorkerEvent::Started { run });
    stage.succeeds(busy, run);
    assert!(stage.effects().contains(&PoolEffect::Reloaded { generation: 1 }));
}

#[test]
fn what_is_asked_for_while_a_pool_runs_holds_at_once() {
    let mut stage = Stage::warm(|config| (config.min_workers, config.max_workers) = (3, 3));
    let used = stage.serves(1);
    assert_eq!(stage.serves(2), used);
    stage.submit_for(3);
    let (busy, run) = stage.execute();
    stage.submit_for(3);
    let (fine, fine_run) = stage.execute();
    let config = PoolConfig {
        min_workers: 3,
        max_workers: 3,
        isolation: Isolation::Organization,
        ..PoolConfig::default()
    };
    let mut effects = Vec::new();
    stage.pool.set_config(stage.now, config, &mut effects);
    assert_eq!(retired(&effects), [], "{effects:?}");
    stage.succeeds(busy, run);
    assert_eq!(retired(&stage.effects()), [used], "it has served several: {busy:?}");
    stage.succeeds(fine, fine_run);
    assert_eq!(stage.state(fine), "idle");
}

#[test]
fn an_idle_worker_that_has_served_several_leaves_at_once() {
    let mut stage = Stage::warm(|_| {});
    let used = stage.serves(1);
    assert_eq!(stage.serves(2), used);
    let isolate = |stage: &mut Stage, isolation| {
        let config = PoolConfig { min_workers: 1, max_workers: 4, isolation, ..PoolConfig::default() };
        let mut effects = Vec::new();
        stage.pool.set_config(stage.now, config, &mut effects);
        effects
    };
    let effects = isolate(&mut stage, Isolation::Organization);
    assert_eq!(retired(&effects), [used]);
    let fresh = effects.iter().find_map(spawned).unwrap();
    stage.becomes_ready(fresh, ALL);
    stage.effects();
    assert_eq!(stage.serves(3), fresh);
    assert_eq!(retired(&isolate(&mut stage, Isolation::Execution)), [fresh]);
}
