//! The pool itself: its parts, its entrances, and the one gate every change of a worker passes.

use std::collections::BTreeMap;

use super::census::Census;
use super::config::PoolConfig;
use super::draining::Draining;
use super::effect::Effect;
use super::event::{Event, WorkerEvent, WorkerId};
use super::idle::IdleWorkers;
use super::queue::Queue;
use super::reload::Reload;
use super::sizing::Surplus;
use super::starts::Starts;
use super::time::Time;
use super::timers::{Alarm, Timer, Timers};
use super::worker::{State, Worker};

/// The pool: who gets the next execution, when to spawn, retire, recycle, time out, kill and back off.
///
/// Feed it what happens with [`Pool::step`] and do what it says; call it again no later than at
/// [`Pool::next_deadline`] with [`Event::Tick`]. It never blocks, never panics, and ignores what concerns
/// workers and attempts that are gone.
#[derive(Debug)]
pub struct Pool {
    pub(super) config: PoolConfig,
    /// Ordered, so that walking it (rare) always gives the same decisions for the same events.
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) idle: IdleWorkers,
    pub(super) queue: Queue,
    pub(super) census: Census,
    pub(super) timers: Timers,
    pub(super) alarm: Alarm,
    pub(super) starts: Starts,
    pub(super) surplus: Surplus,
    pub(super) reload: Reload,
    pub(super) draining: Option<Draining>,
    /// The generation ordinary spawns belong to.
    pub(super) generation: u64,
    pub(super) last_generation: u64,
    pub(super) last_worker: u64,
    /// Frames for runs that had ended, and their like.
    pub(super) stale_frames: u64,
    started: bool,
    latest: Time,
}

impl Pool {
    /// A pool without workers: [`Pool::start`] makes the first.
    pub fn new(config: PoolConfig, now: Time) -> Self {
        Self {
            config: sane(config),
            workers: BTreeMap::new(),
            idle: IdleWorkers::default(),
            queue: Queue::default(),
            census: Census::default(),
            timers: Timers::default(),
            alarm: Alarm::default(),
            starts: Starts::default(),
            surplus: Surplus::default(),
            reload: Reload::Settled,
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
    pub fn start(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let now = now.max(self.latest);
        self.started = true;
        self.finish_step(now, effects);
    }

    /// Something happened; what is to be done about it is appended to `effects`, in order.
    pub fn step(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        let now = now.max(self.latest);
        match event {
            Event::Submit(assignment) => self.submit(now, assignment, effects),
            Event::Cancel { attempt, reason, message } => self.cancel(now, attempt, reason, message, effects),
            Event::Worker { worker, event } => self.worker_event(now, worker, event, effects),
            Event::Resize { min_workers, max_workers } => {
                self.config = sane(PoolConfig { min_workers, max_workers, ..self.config.clone() });
            }
            Event::Recycle(worker) => self.recycle(worker),
            Event::RecycleAll => self.recycle_all(),
            Event::Reload => self.begin_reload(now, effects),
            Event::Drain { grace } => self.drain(now, grace, effects),
            Event::Halt => self.halt(now, effects),
            Event::DrainNow => self.drain(now, std::time::Duration::ZERO, effects),
            Event::Tick => {}
        }
        self.finish_step(now, effects);
    }

    /// New settings. What exists adapts: bounds at once, recycling by what each worker has done so far,
    /// times from the next state on.
    pub fn set_config(&mut self, now: Time, config: PoolConfig, effects: &mut Vec<Effect>) {
        let now = now.max(self.latest);
        self.config = sane(config);
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            let limit = self.config.execution_limit(id.0);
            let recycle_after = self.config.recycle_after;
            self.alter(id, |worker, timers| {
                worker.execution_limit = limit;
                let aged_at =
                    worker.ready_at.filter(|_| !recycle_after.is_zero()).map(|at| at + recycle_after);
                timers.set(&mut worker.age_alarm, Timer::Age(id), aged_at);
            });
        }
        self.finish_step(now, effects);
    }

    /// When to call [`Pool::step`] with [`Event::Tick`] at the latest. May be earlier than needed: deadlines
    /// that move later leave their entry where it was.
    pub fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Draining, and nothing left: no worker and no attempt. A pool that only halted still answers for what is
    /// submitted, so it is there until it is told to drain.
    pub fn is_drained(&self) -> bool {
        let leaves = match self.draining {
            Some(Draining::Until(_) | Draining::Hurried) => true,
            Some(Draining::Unhurried) | None => false,
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

    /// Fires what is due, then brings the pool to its wanted size. Deadlines come after the event of the
    /// same step: a Finished that was read stands, even when the deadline passed a moment before.
    fn finish_step(&mut self, now: Time, effects: &mut Vec<Effect>) {
        self.latest = now;
        self.fire(now, effects);
        if self.draining.is_some() {
            self.arm_drain(now);
        } else if self.started {
            self.settle(now, effects);
        }
    }

    fn fire(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Pool => {
                    if self.timers.rings(&mut self.alarm, timer, now) {
                        self.end_drain_grace(now, effects);
                    }
                }
                Timer::Worker(id) => {
                    let Some(worker) = self.workers.get_mut(&id) else { continue };
                    if self.timers.rings(&mut worker.alarm, timer, now) {
                        self.worker_deadline(now, id, effects);
                    }
                }
                Timer::Age(id) => {
                    let Some(worker) = self.workers.get_mut(&id) else { continue };
                    if self.timers.rings(&mut worker.age_alarm, timer, now) {
                        self.becomes_due(id, super::worker::Due::Age);
                    }
                }
            }
        }
    }

    /// The deadline of the state a worker is in has passed.
    fn worker_deadline(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(stage) => {
                let stage = *stage;
                self.start_timed_out(now, id, stage, effects);
            }
            State::Idle { .. } => {}
            State::Busy(run) => {
                let phase = run.phase;
                self.run_deadline(now, id, phase, effects);
            }
            State::Leaving(_) => self.leaving_deadline(now, id, effects),
        }
    }

    /// Events of workers that are gone, or never were, change nothing.
    fn worker_event(&mut self, now: Time, id: WorkerId, event: WorkerEvent, effects: &mut Vec<Effect>) {
        if !self.workers.contains_key(&id) {
            return;
        }
        match event {
            WorkerEvent::Spawned { pid } => self.spawned(now, id, pid, effects),
            WorkerEvent::SpawnFailed { message } => self.spawn_failed(now, id, &message, effects),
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
        change: impl FnOnce(&mut Worker, &mut Timers) -> R,
    ) -> Option<R> {
        let worker = self.workers.get_mut(&id)?;
        let before = worker.standing();
        let result = change(worker, &mut self.timers);
        let after = worker.standing();
        if before != after {
            self.census.leave(before);
            self.census.enter(after);
        }
        Some(result)
    }

    /// Takes a worker that is gone out of every table.
    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let mut worker = self.workers.remove(&id)?;
        self.census.leave(worker.standing());
        self.timers.forget(&mut worker.alarm, Timer::Worker(id));
        self.timers.forget(&mut worker.age_alarm, Timer::Age(id));
        if let State::Idle { turn } = worker.state {
            // The token dies with its worker.
            self.idle.discard(turn);
        }
        Some(worker)
    }
}

impl Worker {
    /// Sets or clears the deadline of the state the worker is in.
    pub(super) fn set_deadline(&mut self, timers: &mut Timers, deadline: Option<Time>) {
        timers.set(&mut self.alarm, Timer::Worker(self.id), deadline);
    }
}

/// Bounds that make no sense are mended rather than obeyed: the settings layer reports them to a person.
fn sane(config: PoolConfig) -> PoolConfig {
    let max_workers = config.max_workers.max(1);
    PoolConfig { min_workers: config.min_workers.min(max_workers), max_workers, ..config }
}
