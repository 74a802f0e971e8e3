//! From spawn to Ready.

use muster_protocol::PROTOCOL_VERSION;

use super::config::HELLO_TIMEOUT;
use super::effect::PoolEffect;
use super::event::{WorkerFeatures, WorkerId};
use super::invariant::PoolInvariant;
use super::isolation::{ServedRuns, WorkerBinding};
use super::machine::Pool;
use super::time::PoolTime;
use super::timers::{Deadline, TimerOwner};
use super::worker::{FarewellPhase, LeavingPhase, PoolWorker, StartStage, TemplatePhase, WorkerState};
use crate::check_invariant;

impl Pool {
    /// Starts a worker of the given generation.
    pub(super) fn spawn(
        &mut self,
        now: PoolTime,
        generation: u64,
        effects: &mut Vec<PoolEffect>,
    ) -> WorkerId {
        let id = self.add_worker(now, generation, WorkerState::Starting(StartStage::Spawning));
        let (processes, most) = (self.workers.len(), self.config.max_processes());
        check_invariant!(
            processes <= most,
            PoolInvariant::CeilingOfWorkers,
            "{processes} processes, of {most}"
        );
        self.begin_start(now, id, effects);
        id
    }

    /// A new worker, of which nothing is there yet.
    pub(super) fn add_worker(&mut self, now: PoolTime, generation: u64, state: WorkerState) -> WorkerId {
        self.last_worker += 1;
        let id = WorkerId(self.last_worker);
        let worker = PoolWorker {
            id,
            generation,
            pid: None,
            features: WorkerFeatures::default(),
            spawned_at: now,
            ready_at: None,
            since: now,
            runs: 0,
            served: ServedRuns::Nobodys,
            executions_done: 0,
            rss_bytes: 0,
            memory_peak_bytes: 0,
            execution_limit: self.config.execution_limit(id.0),
            due: None,
            is_offered_template: false,
            alarm: Deadline::default(),
            age_alarm: Deadline::default(),
            state,
        };
        self.counts.enter(worker.capacity_class());
        self.workers.insert(id, worker);
        id
    }

    pub(super) fn spawned(&mut self, now: PoolTime, id: WorkerId, pid: u32, effects: &mut Vec<PoolEffect>) {
        let graceful = self.config.graceful_shutdown;
        let hello_within = HELLO_TIMEOUT.min(self.config.worker_start);
        self.fork_is_over(now, id, true, effects);
        self.alter(id, |worker, timers| {
            worker.pid = Some(pid);
            match &mut worker.state {
                WorkerState::Starting(stage) => {
                    if let StartStage::Forking { .. } = stage {
                        worker.set_deadline(timers, Some(now + hello_within));
                        worker.state = WorkerState::Starting(StartStage::Connecting);
                    } else if *stage == StartStage::Spawning {
                        *stage = StartStage::Connecting;
                    }
                }
                WorkerState::Template(phase) => {
                    if *phase == TemplatePhase::Spawning {
                        *phase = TemplatePhase::Connecting;
                    }
                }
                WorkerState::Leaving(leaving @ LeavingPhase::NotSpawned(_)) => {
                    // It was given up while it came into being: now there is something to end.
                    match std::mem::replace(leaving, LeavingPhase::Asked) {
                        LeavingPhase::NotSpawned(FarewellPhase::Kill(cause)) => {
                            *leaving = LeavingPhase::Killed(cause);
                            effects.push(PoolEffect::Kill { worker: id, cause });
                        }
                        LeavingPhase::NotSpawned(FarewellPhase::Retire(reason)) => {
                            effects.push(PoolEffect::Retire { worker: id, reason });
                            worker.set_deadline(timers, Some(now + graceful));
                        }
                        LeavingPhase::Asked | LeavingPhase::Terminated(_) | LeavingPhase::Killed(_) => {}
                    }
                }
                WorkerState::Idle { .. }
                | WorkerState::Busy(_)
                | WorkerState::Leaving(
                    LeavingPhase::Asked | LeavingPhase::Terminated(_) | LeavingPhase::Killed(_),
                ) => {}
            }
        });
    }

    pub(super) fn hello(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        (protocol_min, protocol_max): (u16, u16),
        offered: WorkerFeatures,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        // A template without a channel could be given nothing, and one whose generation has gone out of use meanwhile
        // would never be asked.
        let template = offered.template
            && worker.is_offered_template
            && self.config.template
            && self.templates.contains_key(&worker.generation);
        let features = WorkerFeatures { template, ..offered };
        match &worker.state {
            WorkerState::Starting(
                StartStage::Awaiting
                | StartStage::Forking { .. }
                | StartStage::Spawning
                | StartStage::Connecting,
            )
            | WorkerState::Template(TemplatePhase::Spawning | TemplatePhase::Connecting) => {}
            WorkerState::Starting(StartStage::Loading)
            | WorkerState::Template(TemplatePhase::Loading | TemplatePhase::Standing)
            | WorkerState::Idle { .. }
            | WorkerState::Busy(_) => {
                return self.broken(now, id, "a second Hello".to_owned(), effects);
            }
            WorkerState::Leaving(_) => return,
        }
        if protocol_min > PROTOCOL_VERSION || protocol_max < 1 || protocol_min > protocol_max {
            let message = format!(
                "it speaks protocol versions {protocol_min} to {protocol_max}, this supervisor speaks 1 to \
                 {PROTOCOL_VERSION}: update the older of the two"
            );
            let is_template = matches!(worker.state, WorkerState::Template(_));
            self.retire(now, id, &message, effects);
            if is_template {
                return self.template_failed(now, id, message, effects);
            }
            return self.start_failed(now, id, message, effects);
        }
        let ready_by = self.config.worker_start;
        if !self.becomes_template(now, id, features, effects) {
            self.alter(id, |worker, timers| {
                worker.features = features;
                worker.since = now;
                worker.state = WorkerState::Starting(StartStage::Loading);
                worker.set_deadline(timers, Some(worker.spawned_at + ready_by));
            });
        }
        let protocol = protocol_max.min(PROTOCOL_VERSION);
        effects.push(PoolEffect::Welcome { worker: id, protocol, features });
    }

    pub(super) fn ready(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(StartStage::Loading) => {}
            WorkerState::Template(TemplatePhase::Loading) => {
                return self.template_stands(now, id, effects);
            }
            WorkerState::Starting(
                StartStage::Awaiting
                | StartStage::Forking { .. }
                | StartStage::Spawning
                | StartStage::Connecting,
            )
            | WorkerState::Template(TemplatePhase::Spawning | TemplatePhase::Connecting) => {
                return self.broken(now, id, "Ready before Hello".to_owned(), effects);
            }
            WorkerState::Template(TemplatePhase::Standing) => {
                return self.broken(now, id, "a second Ready".to_owned(), effects);
            }
            WorkerState::Idle { .. } | WorkerState::Busy(_) => {
                return self.broken(now, id, "a second Ready".to_owned(), effects);
            }
            WorkerState::Leaving(_) => return,
        }
        let recycle_after = self.config.recycle_after;
        self.alter(id, |worker, timers| {
            worker.ready_at = Some(now);
            let aged_at = (!recycle_after.is_zero()).then_some(now + recycle_after);
            timers.set(&mut worker.age_alarm, TimerOwner::Age(id), aged_at);
        });
        self.make_idle(now, id, WorkerBinding::Anyone);
        if self.starts.recovered() {
            effects.push(PoolEffect::StartsRecovered);
        }
        self.start_succeeded(id);
    }
}
