//! The pool itself: its parts, its entrances, and the one gate every change of a worker passes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::PoolConfig;
use super::draining::Draining;
use super::effect::PoolEffect;
use super::event::{PoolEvent, WorkerEvent, WorkerId};
use super::failed_starts::FailedStarts;
use super::idle::IdleWorkers;
use super::queue::AssignmentQueue;
use super::reload::ReloadState;
use super::sizing::Replacements;
use super::templates::Templates;
use super::time::PoolTime;
use super::timers::{Deadline, DeadlineQueue, TimerOwner};
use super::worker::{PoolWorker, WorkerState};
use super::worker_counts::WorkerCounts;

/// A shell that ticks so much later than at a deadline has been standing still, as one that was stopped.
pub const STOOD_STILL_MIN: Duration = Duration::from_millis(100);

/// The pool: who gets the next execution, when to spawn, retire, recycle, time out, kill and back off.
///
/// Feed it what happens with [`Pool::step`] and do what it says; call it again no later than at
/// [`Pool::next_deadline`] with [`PoolEvent::Tick`]. A shell that stood still past a deadline first says what came
/// meanwhile: until its Tick no deadline fires that is overdue by more than [`STOOD_STILL_MIN`]. It never blocks, never panics, and ignores what concerns
/// workers and attempts that are gone.
#[derive(Debug)]
pub struct Pool {
    pub(super) config: PoolConfig,
    /// Ordered, so that walking it (rare) always gives the same decisions for the same events.
    pub(super) workers: BTreeMap<WorkerId, PoolWorker>,
    pub(super) idle: IdleWorkers,
    pub(super) queue: AssignmentQueue,
    pub(super) counts: WorkerCounts,
    pub(super) timers: DeadlineQueue,
    pub(super) alarm: Deadline,
    pub(super) starts: FailedStarts,
    pub(super) replacements: Replacements,
    pub(super) reload: ReloadState,
    pub(super) templates: Templates,
    pub(super) draining: Option<Draining>,
    /// The generation ordinary spawns belong to.
    pub(super) generation: u64,
    pub(super) last_generation: u64,
    pub(super) last_worker: u64,
    /// Frames for runs that had ended, and their like.
    pub(super) stale_frames: u64,
    started: bool,
    latest: PoolTime,
}

impl Pool {
    /// A pool without workers: [`Pool::start`] makes the first.
    pub fn new(config: PoolConfig, now: PoolTime) -> Self {
        Self {
            config: sane(config),
            workers: BTreeMap::new(),
            idle: IdleWorkers::default(),
            queue: AssignmentQueue::default(),
            counts: WorkerCounts::default(),
            timers: DeadlineQueue::default(),
            alarm: Deadline::default(),
            starts: FailedStarts::default(),
            replacements: Replacements::default(),
            reload: ReloadState::Settled,
            templates: Templates::new(),
            draining: None,
            generation: 0,
            last_generation: 0,
            last_worker: 0,
            stale_frames: 0,
            started: false,
            latest: now,
        }
    }

    /// Spawns the warm workers. Submits before it wait.
    pub fn start(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let now = now.max(self.latest);
        self.started = true;
        self.finish_step(now, true, effects);
    }

    /// Something happened; what is to be done about it is appended to `effects`, in order.
    pub fn step(&mut self, now: PoolTime, event: PoolEvent, effects: &mut Vec<PoolEffect>) {
        let now = now.max(self.latest);
        let is_tick = matches!(event, PoolEvent::Tick);
        match event {
            PoolEvent::Submit(assignment) => self.submit(now, assignment, effects),
            PoolEvent::Cancel { attempt, reason, message } => {
                self.cancel(now, attempt, reason, message, effects)
            }
            PoolEvent::Worker { worker, event } => self.worker_event(now, worker, event, effects),
            PoolEvent::Resize { min_workers, max_workers } => {
                self.config = sane(PoolConfig { min_workers, max_workers, ..self.config.clone() });
            }
            PoolEvent::Recycle(worker) => self.recycle(now, worker, effects),
            PoolEvent::RecycleAll => self.recycle_all(now, effects),
            PoolEvent::Reload => self.begin_reload(now, effects),
            PoolEvent::Drain { grace } => self.drain(now, grace, effects),
            PoolEvent::Halt => self.halt(now, effects),
            PoolEvent::DrainNow => self.drain(now, Duration::ZERO, effects),
            PoolEvent::Tick => {}
        }
        self.finish_step(now, is_tick, effects);
    }

    /// New settings. What exists adapts: bounds at once, recycling by what each worker has done so far,
    /// times from the next state on.
    pub fn set_config(&mut self, now: PoolTime, config: PoolConfig, effects: &mut Vec<PoolEffect>) {
        let now = now.max(self.latest);
        let is_isolated_anew = config.isolation != self.config.isolation;
        self.config = sane(config);
        if is_isolated_anew {
            self.apply_isolation(now, effects);
        }
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            let limit = self.config.execution_limit(id.0);
            let recycle_after = self.config.recycle_after;
            self.alter(id, |worker, timers| {
                worker.execution_limit = limit;
                let aged_at =
                    worker.ready_at.filter(|_| !recycle_after.is_zero()).map(|at| at + recycle_after);
                timers.set(&mut worker.age_alarm, TimerOwner::Age(id), aged_at);
            });
        }
        // New settings may want what is long past, as of an age.
        self.finish_step(now, true, effects);
    }

    /// When to call [`Pool::step`] with [`PoolEvent::Tick`] at the latest. May be earlier than needed: deadlines
    /// that move later leave their entry where it was.
    pub fn next_deadline(&self) -> Option<PoolTime> {
        self.timers.next()
    }

    /// Draining, and nothing left: no worker and no attempt. A pool that only halted still answers for what is
    /// submitted, so it is there until it is told to drain.
    pub fn is_drained(&self) -> bool {
        let leaves = match self.draining {
            Some(Draining::Until(_) | Draining::Cancelling) => true,
            Some(Draining::NoDeadline) | None => false,
        };
        leaves && self.workers.is_empty() && self.queue.held() == 0
    }

    /// How many executions may still be claimed: `max_workers` minus those that run and wait.
    pub fn free_slots(&self) -> usize {
        if self.draining.is_some() {
            return 0;
        }
        self.config.max_workers.saturating_sub(self.queue.held())
    }

    /// How many executions wait for a worker.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Fires what is due, then brings the pool to its wanted size. Deadlines come after the event of the
    /// same step: a Finished that was read stands, even when the deadline passed a moment before.
    fn finish_step(&mut self, now: PoolTime, is_tick: bool, effects: &mut Vec<PoolEffect>) {
        self.latest = now;
        let due = self.timers.next().filter(|deadline| *deadline <= now);
        // One that passed so long ago that the shell must have stood still waits for its Tick: what workers said meanwhile is
        // heard before.
        let waits = due.is_some_and(|deadline| !is_tick && now.since(deadline) > STOOD_STILL_MIN);
        if due.is_some() && !waits {
            self.fire(now, effects);
        }
        if self.draining.is_some() {
            self.arm_drain(now);
        } else if self.started {
            self.adjust(now, effects);
            self.check_size();
        }
        if !waits {
            self.check_deadlines(now);
        }
        self.check_step();
    }

    fn fire(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                TimerOwner::Pool => {
                    if self.timers.rings(&mut self.alarm, timer, now) {
                        self.end_drain_grace(now, effects);
                    }
                }
                TimerOwner::Worker(id) => {
                    let Some(worker) = self.workers.get_mut(&id) else { continue };
                    if self.timers.rings(&mut worker.alarm, timer, now) {
                        self.worker_deadline(now, id, effects);
                    }
                }
                TimerOwner::Age(id) => {
                    let Some(worker) = self.workers.get_mut(&id) else { continue };
                    if self.timers.rings(&mut worker.age_alarm, timer, now) {
                        self.becomes_due(id, super::worker::RecycleReason::Age);
                    }
                }
            }
        }
    }

    /// The deadline of the state a worker is in has passed.
    fn worker_deadline(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(stage) => {
                let stage = *stage;
                self.start_timed_out(now, id, stage, effects);
            }
            WorkerState::Idle { .. } => {}
            WorkerState::Busy(run) => {
                let phase = run.phase;
                self.run_deadline(now, id, phase, effects);
            }
            WorkerState::Template(phase) => {
                let phase = *phase;
                self.template_timed_out(now, id, phase, effects);
            }
            WorkerState::Leaving(_) => self.leaving_deadline(now, id, effects),
        }
    }

    /// Events of workers that are gone, or never were, change nothing.
    fn worker_event(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        event: WorkerEvent,
        effects: &mut Vec<PoolEffect>,
    ) {
        if !self.workers.contains_key(&id) {
            return;
        }
        match event {
            WorkerEvent::Spawned { pid } => self.spawned(now, id, pid, effects),
            WorkerEvent::SpawnFailed { message } => self.spawn_failed(now, id, &message, effects),
            WorkerEvent::ForkFailed { message } => self.fork_failed(now, id, message, effects),
            WorkerEvent::TemplateStale => self.template_is_stale(now, id, effects),
            WorkerEvent::Hello { protocol_min, protocol_max, features } => {
                self.hello(now, id, (protocol_min, protocol_max), features, effects);
            }
            WorkerEvent::Ready => self.ready(now, id, effects),
            WorkerEvent::InitFailed { error } => self.init_failed(now, id, &error, effects),
            WorkerEvent::Started { run } => self.run_started(now, id, run, effects),
            WorkerEvent::Finished { run, outcome, metrics } => {
                self.run_finished(now, id, run, outcome, metrics, effects);
            }
            WorkerEvent::Idle { run, rss_bytes, recycle } => {
                self.run_idle(now, id, run, rss_bytes, recycle, effects);
            }
            WorkerEvent::Goodbye { reason } => self.goodbye(now, id, reason, effects),
            WorkerEvent::Violation(violation) => self.violate(now, id, violation, effects),
            WorkerEvent::MemorySample { rss_bytes } => self.memory_sample(now, id, rss_bytes, effects),
            WorkerEvent::Exited(exit) => self.exited(now, id, &exit, effects),
        }
    }

    /// The gate: every change of a worker's state, phase or dueness goes through here, so the counts are
    /// always true.
    pub(super) fn alter<R>(
        &mut self,
        id: WorkerId,
        change: impl FnOnce(&mut PoolWorker, &mut DeadlineQueue) -> R,
    ) -> Option<R> {
        let worker = self.workers.get_mut(&id)?;
        let before = worker.capacity_class();
        let result = change(worker, &mut self.timers);
        let after = worker.capacity_class();
        if before != after {
            self.counts.leave(before);
            self.counts.enter(after);
        }
        Some(result)
    }

    /// Takes a worker that is gone out of every table.
    pub(super) fn remove(&mut self, id: WorkerId) -> Option<PoolWorker> {
        let mut worker = self.workers.remove(&id)?;
        self.counts.leave(worker.capacity_class());
        self.timers.forget(&mut worker.alarm, TimerOwner::Worker(id));
        self.timers.forget(&mut worker.age_alarm, TimerOwner::Age(id));
        if let WorkerState::Idle { turn } = worker.state {
            // The token dies with its worker.
            self.idle.discard(turn);
        }
        Some(worker)
    }
}

impl PoolWorker {
    /// Sets or clears the deadline of the state the worker is in.
    pub(super) fn set_deadline(&mut self, timers: &mut DeadlineQueue, deadline: Option<PoolTime>) {
        timers.set(&mut self.alarm, TimerOwner::Worker(self.id), deadline);
    }
}

/// Bounds that make no sense are fixed rather than obeyed: the settings layer reports them to a person.
fn sane(config: PoolConfig) -> PoolConfig {
    let max_workers = config.max_workers.max(1);
    PoolConfig { min_workers: config.min_workers.min(max_workers), max_workers, ..config }
}
