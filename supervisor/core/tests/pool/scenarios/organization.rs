//! Each organization has workers of its own.

use muster_core::pool::{Isolation, PoolEffect, WorkerBinding, WorkerEvent, WorkerId};
use uuid::Uuid;

use super::stage::{ALL, Stage, retired, seconds, spawned};

fn of_organizations(min_workers: usize, max_workers: usize) -> Stage {
    Stage::warm(|config| {
        (config.min_workers, config.max_workers) = (min_workers, max_workers);
        config.isolation = Isolation::Organization;
    })
}

/// Three workers that rest, bound to one organization.
fn all_serve_the_first(stage: &mut Stage) {
    for _ in 0..3 {
        stage.submit_for(1);
    }
    for (worker, run, _) in stage.executes() {
        stage.succeeds(worker, run);
    }
    stage.effects();
}

fn binding(stage: &Stage, worker: WorkerId) -> Option<WorkerBinding> {
    stage.snapshot().workers.iter().find(|one| one.worker == worker).and_then(|one| one.binding)
}

#[test]
fn a_worker_is_offered_to_no_other_organization() {
    let mut stage = of_organizations(2, 2);
    let first = stage.serves(1);
    let second = stage.serves(2);
    assert_ne!(first, second);
    assert_eq!(stage.serves(1), first, "though the other one is warmer");
    assert_eq!(stage.serves(2), second);
    assert_eq!(binding(&stage, first), Some(WorkerBinding::Only(Some(Uuid::from_u128(1)))));
}

#[test]
fn executions_without_an_organization_are_a_unit_of_their_own() {
    let mut stage = of_organizations(2, 2);
    let nobodys = stage.serves(0);
    assert_eq!(stage.serves(0), nobodys);
    assert_ne!(stage.serves(1), nobodys);
    assert_eq!(binding(&stage, nobodys), Some(WorkerBinding::Only(None)));
}

#[test]
fn an_attempt_that_never_began_has_bound_its_worker_all_the_same() {
    let mut stage = of_organizations(1, 1);
    let attempt = stage.submit_for(1);
    let (worker, _) = stage.execute();
    stage.cancel(attempt, muster_protocol::CancelReason::User);
    stage.finished(worker, 1, super::stage::cancelled());
    stage.idle(worker, 1);
    stage.effects();
    stage.submit_for(2);
    assert_eq!(stage.executes(), []);
}

#[test]
fn below_the_ceiling_another_organization_gets_a_worker_more() {
    let mut stage = of_organizations(1, 2);
    let first = stage.serves(1);
    stage.effects();
    stage.submit_for(2);
    assert_eq!(stage.effects(), [], "the idle worker is not for it");
    stage.wait_ms(20);
    let second = stage.spawns();
    assert_eq!(second.len(), 1);
    stage.becomes_ready(second[0], ALL);
    assert_eq!(stage.execute().0, second[0]);
    assert_eq!(stage.state(first), "idle");
}

#[test]
fn at_the_ceiling_the_least_useful_worker_gives_way() {
    let mut stage = of_organizations(3, 3);
    stage.submit_for(1);
    let (busy, run) = stage.execute();
    stage.submit_for(1);
    let (longest, longest_run) = stage.execute();
    let only = stage.serves(2);
    stage.succeeds(longest, longest_run);
    stage.succeeds(busy, run);
    stage.effects();
    stage.submit_for(3);
    stage.wait_ms(19);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    assert_eq!(
        retired(&effects),
        [longest],
        "of the organization that has two, the longest idle: {effects:?}"
    );
    let fresh: Vec<WorkerId> = effects.iter().filter_map(spawned).collect();
    assert_eq!(fresh.len(), 1);
    stage.becomes_ready(fresh[0], ALL);
    assert_eq!(stage.execute().0, fresh[0]);
    assert_eq!((stage.state(busy), stage.state(only)), ("idle", "idle"));
}

#[test]
fn as_many_give_way_as_wait() {
    let mut stage = of_organizations(3, 3);
    all_serve_the_first(&mut stage);
    stage.submit_for(2);
    stage.submit_for(3);
    stage.wait_ms(20);
    let effects = stage.effects();
    assert_eq!(retired(&effects).len(), 2, "{effects:?}");
    assert_eq!(effects.iter().filter_map(spawned).count(), 2);
}

/// A build that cannot start takes no more than one worker away, whatever waits.
#[test]
fn while_starts_fail_one_worker_gives_way_and_no_other() {
    let mut stage = of_organizations(3, 3);
    all_serve_the_first(&mut stage);
    stage.submit_for(2);
    stage.wait_ms(20);
    let mut effects = stage.effects();
    for _ in 0..5 {
        for worker in effects.iter().filter_map(spawned) {
            stage.says(worker, WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
        }
        stage.submit_for(3);
        stage.wait(seconds(5));
        effects = stage.effects();
        assert_eq!(retired(&effects), []);
    }
    assert_eq!(stage.snapshot().idle, 2);
    stage.submit_for(1);
    assert_eq!(stage.executes().len(), 1, "who has workers is served");
}

#[test]
fn what_only_others_workers_could_serve_goes_back_while_starts_fail() {
    let mut stage = Stage::warm(|config| {
        (config.min_workers, config.max_workers) = (1, 2);
        (config.isolation, config.worker_start) = (Isolation::Organization, seconds(3));
    });
    stage.serves(1);
    stage.effects();
    let other = stage.submit_for(2);
    let mut finishes = Vec::new();
    for _ in 0..50 {
        stage.wait_ms(100);
        for effect in stage.effects() {
            if let PoolEffect::Spawn { worker, .. } = effect {
                stage.says(worker, WorkerEvent::SpawnFailed { message: "no such file".to_owned() });
            }
            if let PoolEffect::Finish(finish) = effect {
                finishes.push(finish);
            }
        }
    }
    assert_eq!(finishes.len(), 1, "{finishes:?}");
    assert_eq!(finishes[0].attempt, other);
    assert!(super::stage::is_released(&finishes[0].ending), "{finishes:?}");
    assert_eq!(stage.serves(1), WorkerId(1));
}

/// One organization that never runs out of work does not keep another one waiting for ever, nor does it have its
/// workers taken away at every end.
#[test]
fn nobody_is_passed_over_for_ever() {
    let mut stage = of_organizations(1, 1);
    let mut worker = WorkerId(1);
    stage.submit_for(1);
    let mut run = stage.execute().1;
    stage.wait(seconds(1));
    let other = stage.submit_for(2);
    for _ in 0..5 {
        stage.submit_for(1);
    }
    stage.wait_ms(100);
    // Its start took no time, so it has been worth it.
    stage.succeeds(worker, run);
    let effects = stage.effects();
    assert_eq!(retired(&effects), [worker], "{effects:?}");
    worker = effects.iter().find_map(spawned).unwrap();
    stage.wait(seconds(2));
    stage.becomes_ready(worker, ALL);
    let (_, number, attempt) = stage.executes()[0];
    assert_eq!(attempt, other, "the oldest comes first");
    run = number;
    // Now the others are the oldest, but this one has work too, and its start took two seconds.
    stage.submit_for(2);
    stage.wait(seconds(3));
    stage.succeeds(worker, run);
    let (again, number) = stage.execute();
    assert_eq!((again, number), (worker, 2));
    stage.wait(seconds(5));
    stage.submit_for(2);
    stage.succeeds(worker, 2);
    assert_eq!(retired(&stage.effects()), [worker]);
}
