//! Workers that are made of a template: who becomes it, who is made of it, and what is done without it.

use std::time::Duration;

use muster_core::pool::{
    Isolation, KillCause, PoolConfig, PoolEffect, PoolEvent, TemplateSnapshot, WorkerEvent, WorkerFeatures,
    WorkerId,
};
use muster_core::process::ExitStatus;
use muster_protocol::ErrorInfo;

use super::stage::{ALL, Stage, executed, retired, seconds, spawned};

const TEMPLATE: WorkerFeatures = WorkerFeatures { template: true, ..ALL };
const FIRST: WorkerId = WorkerId(1);

/// The first process was started, and nothing more.
fn asked(min_workers: usize, change: impl FnOnce(&mut PoolConfig)) -> Stage {
    Stage::cold(|config| {
        (config.template, config.min_workers) = (true, min_workers);
        change(config);
    })
}

/// The first process is the template, and the warm workers were made of it.
fn standing(min_workers: usize, change: impl FnOnce(&mut PoolConfig)) -> Stage {
    let mut stage = asked(min_workers, change);
    stage.becomes_ready(FIRST, TEMPLATE);
    for (worker, _) in forks(&stage.effects()) {
        stage.becomes_ready(worker, ALL);
    }
    stage.effects();
    assert_eq!((stage.state(FIRST), stage.snapshot().idle), ("template", min_workers));
    stage
}

/// Each worker that effects ask a template for, and that template.
fn forks(effects: &[PoolEffect]) -> Vec<(WorkerId, WorkerId)> {
    let fork = |effect: &PoolEffect| {
        if let PoolEffect::Fork { worker, template, .. } = effect { Some((*worker, *template)) } else { None }
    };
    effects.iter().filter_map(fork).collect()
}

/// Each process that effects start by itself, and whether it may be a template.
fn starts(effects: &[PoolEffect]) -> Vec<(WorkerId, bool)> {
    let start = |effect: &PoolEffect| {
        if let PoolEffect::Spawn { worker, offers_template, .. } = effect {
            Some((*worker, *offers_template))
        } else {
            None
        }
    };
    effects.iter().filter_map(start).collect()
}

/// When the next template is started after the one that failed.
fn retry_in(effects: &[PoolEffect], failed: WorkerId) -> Duration {
    let retry = |effect: &PoolEffect| {
        if let PoolEffect::TemplateFailed { worker, retry_in, .. } = effect {
            (*worker == failed).then_some(*retry_in)
        } else {
            None
        }
    };
    effects.iter().find_map(retry).unwrap_or_else(|| panic!("{failed} did not fail: {effects:?}"))
}

fn cannot_load() -> WorkerEvent {
    WorkerEvent::InitFailed { error: ErrorInfo::new("SyntaxError", "line 3") }
}

fn cannot_fork() -> WorkerEvent {
    WorkerEvent::ForkFailed { message: "2 threads".to_owned() }
}

#[test]
fn the_first_process_becomes_the_template_and_who_waited_is_made_of_it() {
    let mut stage = asked(2, |_| {});
    assert_eq!(starts(&stage.effects()), [(FIRST, true)]);
    assert_eq!(stage.state(WorkerId(2)), "awaiting_template");
    stage.becomes_ready(FIRST, TEMPLATE);
    let effects = stage.effects();
    assert!(effects.contains(&PoolEffect::TemplateStands { worker: FIRST, generation: 0 }), "{effects:?}");
    assert_eq!(forks(&effects), [(WorkerId(2), FIRST), (WorkerId(3), FIRST)]);
    stage.becomes_ready(WorkerId(2), ALL);
    stage.submit();
    assert_eq!(stage.execute().0, WorkerId(2), "never the template");
}

#[test]
fn a_process_that_cannot_be_a_template_serves_and_the_others_start_as_it_did() {
    let mut stage = asked(2, |_| {});
    stage.becomes_ready(FIRST, ALL);
    assert_eq!(starts(&stage.effects()), [(FIRST, true), (WorkerId(3), false)]);
    assert_eq!(stage.snapshot().template, TemplateSnapshot::Absent);
    stage.submit();
    assert_eq!(stage.execute().0, FIRST);
}

#[test]
fn who_was_made_of_a_template_is_a_worker_whatever_it_offers() {
    let mut stage = standing(1, |_| {});
    stage.submit();
    stage.submit();
    stage.wait_ms(20);
    let (child, _) = forks(&stage.effects())[0];
    stage.says(child, WorkerEvent::Spawned { pid: 7 });
    stage.says(child, WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: TEMPLATE });
    assert_eq!(stage.effects(), [PoolEffect::Welcome { worker: child, protocol: 1, features: ALL }]);
}

#[test]
fn a_template_is_asked_for_a_few_at_once_and_for_the_next_when_one_is_there() {
    let mut stage = asked(6, |config| config.max_workers = 6);
    stage.becomes_ready(FIRST, TEMPLATE);
    let first = forks(&stage.effects());
    assert_eq!(first.len(), 4, "{first:?}");
    stage.says(first[0].0, WorkerEvent::Spawned { pid: 7 });
    assert_eq!(forks(&stage.effects()).len(), 1);
    stage.says(first[1].0, WorkerEvent::Spawned { pid: 8 });
    assert_eq!(forks(&stage.effects()).len(), 1);
    stage.says(first[2].0, WorkerEvent::Spawned { pid: 9 });
    assert_eq!(stage.effects(), [], "that was the last one");
}

#[test]
fn workers_start_by_themselves_when_a_template_fails_its_first_fork() {
    let mut stage = asked(1, |_| {});
    stage.becomes_ready(FIRST, TEMPLATE);
    let (child, _) = forks(&stage.effects())[0];
    stage.says(child, cannot_fork());
    let effects = stage.effects();
    assert!(retry_in(&effects, FIRST) >= seconds(1), "{effects:?}");
    assert_eq!(retired(&effects), vec![FIRST]);
    let [(plain, false)] = starts(&effects)[..] else { panic!("one, without a template: {effects:?}") };
    stage.becomes_ready(plain, ALL);
    assert_eq!(stage.state(plain), "idle");
    assert_eq!(stage.snapshot().starts.consecutive_failures, 0, "no worker has failed to start");
}

#[test]
fn a_template_that_has_made_workers_is_replaced_at_once_and_one_that_has_not_is_not() {
    let mut stage = standing(1, |config| config.isolation = Isolation::Execution);
    stage.submit_for(1);
    let (child, _) = forks(&stage.effects())[0];
    stage.says(child, cannot_fork());
    let effects = stage.effects();
    assert_eq!(retry_in(&effects, FIRST), Duration::ZERO);
    let [(second, true)] = starts(&effects)[..] else { panic!("{effects:?}") };
    stage.becomes_ready(second, TEMPLATE);
    let (child, template) = forks(&stage.effects())[0];
    assert_eq!(template, second);
    stage.says(child, cannot_fork());
    assert!(retry_in(&stage.effects(), second) >= seconds(2));
}

#[test]
fn a_template_that_dies_leaves_its_workers_alone_and_the_next_one_waits_if_that_dies_too() {
    let mut stage = standing(1, |_| {});
    stage.exits(FIRST, ExitStatus::Signal(9));
    let effects = stage.effects();
    assert_eq!((retry_in(&effects, FIRST), retired(&effects)), (Duration::ZERO, vec![]));
    let [(second, true)] = starts(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(stage.serves(1), WorkerId(2), "the worker it made");
    stage.says(second, WorkerEvent::Spawned { pid: 7 });
    stage.effects();
    stage.exits(second, ExitStatus::Signal(9));
    let wait = retry_in(&stage.effects(), second);
    assert!(wait >= seconds(2) && wait <= Duration::from_millis(2_500), "{wait:?}");
    stage.wait(wait - Duration::from_millis(1));
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    let [(third, true)] = starts(&effects)[..] else { panic!("{effects:?}") };
    stage.becomes_ready(third, TEMPLATE);
    assert_eq!(stage.state(third), "template");
    assert_eq!(stage.state(WorkerId(2)), "idle");
}

#[test]
fn a_template_that_makes_no_worker_in_time_is_killed() {
    let mut stage = asked(1, |_| {});
    stage.becomes_ready(FIRST, TEMPLATE);
    stage.effects();
    stage.wait_ms(4_999);
    assert_eq!(stage.effects(), []);
    stage.wait_ms(1);
    let effects = stage.effects();
    let kill = PoolEffect::Kill { worker: FIRST, cause: KillCause::StartTimeout };
    assert!(effects.contains(&kill), "{effects:?}");
}

#[test]
fn a_stale_template_makes_workers_until_another_one_stands() {
    let mut stage = standing(1, |_| {});
    stage.says(FIRST, WorkerEvent::TemplateStale);
    stage.says(FIRST, WorkerEvent::TemplateStale);
    let effects = stage.effects();
    let [(fresh, true)] = starts(&effects)[..] else { panic!("one: {effects:?}") };
    stage.submit();
    stage.submit();
    stage.wait_ms(20);
    let [(_, of_stale)] = forks(&stage.effects())[..] else { panic!("nobody waits for the fresh one") };
    assert_eq!(of_stale, FIRST);
    stage.becomes_ready(fresh, TEMPLATE);
    assert_eq!(retired(&stage.effects()), [FIRST]);
    assert_eq!((stage.state(fresh), stage.state(WorkerId(2))), ("template", "sent"));
}

#[test]
fn a_reload_has_its_own_template_before_the_old_one_goes() {
    let mut stage = standing(1, |_| {});
    stage.step(PoolEvent::Reload);
    let effects = stage.effects();
    let [(fresh, true)] = starts(&effects)[..] else { panic!("{effects:?}") };
    stage.becomes_ready(fresh, TEMPLATE);
    let effects = stage.effects();
    let [(canary, template)] = forks(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((template, retired(&effects)), (fresh, vec![]), "the old generation is not touched");
    stage.becomes_ready(canary, ALL);
    let effects = stage.effects();
    assert_eq!(retired(&effects), [FIRST, WorkerId(2)], "{effects:?}");
    assert!(effects.contains(&PoolEffect::Reloaded { generation: 1 }), "{effects:?}");
    stage.exits(FIRST, ExitStatus::Code(0));
    assert_eq!(starts(&stage.effects()), [], "of a generation that is over");
}

#[test]
fn a_reload_to_code_that_does_not_load_leaves_the_old_template_where_it_is() {
    let mut stage = standing(1, |_| {});
    stage.step(PoolEvent::Reload);
    let (fresh, _) = starts(&stage.effects())[0];
    stage.says(fresh, WorkerEvent::Spawned { pid: 7 });
    stage.says(fresh, WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features: TEMPLATE });
    stage.says(fresh, cannot_load());
    let effects = stage.effects();
    let [(canary, false)] = starts(&effects)[..] else { panic!("tried without: {effects:?}") };
    stage.says(canary, WorkerEvent::Spawned { pid: 8 });
    stage.says(canary, cannot_load());
    let effects = stage.effects();
    assert!(effects.iter().any(|effect| matches!(effect, PoolEffect::ReloadFailed { .. })), "{effects:?}");
    stage.wait(seconds(300));
    assert_eq!(starts(&stage.effects()), [], "a generation that was given up");
    assert_eq!((stage.state(FIRST), stage.state(WorkerId(2))), ("template", "idle"));
}

#[test]
fn a_drain_ends_the_template_and_what_runs_goes_on() {
    let mut stage = standing(2, |_| {});
    let (_, busy, run) = stage.running(None);
    stage.step(PoolEvent::Drain { grace: seconds(30) });
    let mut leaving = retired(&stage.effects());
    leaving.iter().for_each(|worker| stage.exits(*worker, ExitStatus::Code(0)));
    leaving.push(busy);
    leaving.sort_unstable();
    assert_eq!(leaving, [FIRST, WorkerId(2), WorkerId(3)]);
    assert_eq!((stage.effects(), stage.state(busy)), (vec![], "running"));
    stage.succeeds(busy, run);
    stage.exits(busy, ExitStatus::Code(0));
    assert!(stage.pool.is_drained());
    assert_eq!(stage.effects().iter().filter_map(spawned).next(), None);
}

#[test]
fn a_process_for_each_execution_is_one_fork_for_each() {
    let mut stage = standing(1, |config| {
        (config.max_workers, config.isolation) = (1, Isolation::Execution);
    });
    stage.submit();
    for _ in 0..5 {
        stage.submit();
        let effects = stage.effects();
        let (worker, run, _) = effects.iter().find_map(executed).unwrap();
        let [(next, FIRST)] = forks(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(starts(&effects), []);
        stage.becomes_ready(next, ALL);
        stage.says(worker, WorkerEvent::Started { run });
        stage.succeeds(worker, run);
        stage.exits(worker, ExitStatus::Code(0));
    }
}
