//! From spawn to Ready, and what happens when it does not get there.

use muster_protocol::{ErrorInfo, PROTOCOL_VERSION};

use super::config::HELLO_TIMEOUT;
use super::effect::{KillCause, PoolEffect};
use super::event::{ProcessExit, WorkerFeatures, WorkerId};
use super::invariant::PoolInvariant;
use super::isolation::{ServedRuns, WorkerBinding};
use super::machine::Pool;
use super::outcome::stderr_quote;
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
                            *leaving = LeavingPhase::Killed;
                            effects.push(PoolEffect::Kill { worker: id, cause });
                        }
                        LeavingPhase::NotSpawned(FarewellPhase::Retire(reason)) => {
                            effects.push(PoolEffect::Retire { worker: id, reason });
                            worker.set_deadline(timers, Some(now + graceful));
                        }
                        LeavingPhase::Asked | LeavingPhase::Terminated(_) | LeavingPhase::Killed => {}
                    }
                }
                WorkerState::Idle { .. }
                | WorkerState::Busy(_)
                | WorkerState::Leaving(
                    LeavingPhase::Asked | LeavingPhase::Terminated(_) | LeavingPhase::Killed,
                ) => {}
            }
        });
    }

    pub(super) fn spawn_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: &str,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) => {
                self.start_failed(now, id, format!("the process could not be started: {message}"), effects);
            }
            WorkerState::Template(_) => {
                let message = format!("the process could not be started: {message}");
                self.template_failed(now, id, message, effects);
            }
            // It had been given up before.
            WorkerState::Leaving(_) => {}
            // A process that served cannot fail to spawn; its Exited will tell.
            WorkerState::Idle { .. } | WorkerState::Busy(_) => return,
        }
        self.remove(id);
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
        // A template without a channel could be given nothing.
        let template = offered.template && worker.is_offered_template && self.config.template;
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

    pub(super) fn init_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        error: &ErrorInfo,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) | WorkerState::Template(_) => {
                let kind = if error.kind.is_empty() { "" } else { ": " };
                let message = format!("it could not load: {}{kind}{}", error.kind, error.message);
                if matches!(worker.state, WorkerState::Template(_)) {
                    self.template_failed(now, id, message, effects);
                    return self.retire(now, id, "it could not load", effects);
                }
                self.retire(now, id, "it could not load", effects);
                self.start_failed(now, id, message, effects);
            }
            WorkerState::Idle { .. } | WorkerState::Busy(_) => {
                self.broken(now, id, "InitFailed after Ready".to_owned(), effects);
            }
            WorkerState::Leaving(_) => {}
        }
    }

    pub(super) fn start_timed_out(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        stage: StartStage,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let waited = now.since(worker.spawned_at).as_secs_f64();
        let message = match stage {
            // These are the template's deadlines.
            StartStage::Awaiting | StartStage::Forking { .. } => return,
            StartStage::Spawning => format!("no process after {waited:.1} s"),
            StartStage::Connecting => format!(
                "no Hello within {waited:.1} s: is worker_command a worker? `supervisor check-worker` tells"
            ),
            StartStage::Loading => format!(
                "not Ready within {waited:.1} s: it loads for too long, or worker_start_seconds is too short"
            ),
        };
        self.kill_outright(now, id, KillCause::StartTimeout, effects);
        self.start_failed(now, id, message, effects);
    }

    /// A worker that was starting is gone.
    pub(super) fn exited_starting(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        stage: StartStage,
        exit: &ProcessExit,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let awaited = match stage {
            StartStage::Awaiting
            | StartStage::Forking { .. }
            | StartStage::Spawning
            | StartStage::Connecting => "Hello",
            StartStage::Loading => "Ready",
        };
        let message = format!(
            "it ended with {} before it said {awaited}, {:.3} s after its start{}",
            exit.status,
            now.since(worker.spawned_at).as_secs_f64(),
            stderr_quote(&exit.stderr_tail),
        );
        self.start_failed(now, id, message, effects);
    }

    /// Charges a failed start: to the reload whose canary it was, else to the pool. The worker is still in
    /// the table, in whatever state. One of a generation that is being replaced says nothing of the new one.
    pub(super) fn start_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        if self.draining.is_some() || self.canary_failed(id, &message, effects) {
            return;
        }
        if self.workers.get(&id).is_some_and(|worker| worker.generation < self.generation) {
            return;
        }
        let retry_in = self.starts.failed(now, self.config.jitter_seed, id, &message);
        let consecutive = self.starts.consecutive;
        effects.push(PoolEffect::StartFailed { worker: id, consecutive, message, retry_in });
    }
}
