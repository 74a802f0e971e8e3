//! The heart of the shell: one event in, the pool's effects out, the timer set.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use muster_core::execution::Attempt;
use muster_core::pool::{
    Pool, PoolConfig, PoolEffect, PoolEvent, PoolTime, STOOD_STILL_MIN, WorkerEvent, WorkerId,
};
use muster_system::process::{OrphanedWorkers, SpawnCounter, Spawner, WorkerLeaves};
use tokio::sync::{Notify, Semaphore};

use super::clock::Clock;
use super::deaths::OomKillCount;
use super::events::EventSender;
use super::handle::{ExecutorSnapshot, WorkerIdentity};
use super::link::{AnnouncedIdentity, WorkerLink};
use super::run::ExecutorRun;
use super::run_spec::RunSpec;
use super::worker_spec::WorkerSpec;
use crate::descriptions::Descriptions;

/// So many turns of all readers are enough for what a pipe holds.
const CATCH_UP_TURNS: usize = 16;

/// Everything the executor's thread owns.
pub(super) struct ExecutorLoop {
    pub(super) clock: Clock,
    pub(super) events: EventSender,
    pub(super) spawner: Spawner,
    /// What the code declares.
    pub(super) descriptions: Arc<Descriptions>,
    /// Tells whether anything was started since.
    pub(super) births: SpawnCounter,
    /// Tells whether the kernel ended somebody for want of memory.
    pub(super) oom_kills: OomKillCount,
    pub(super) state: RefCell<ExecutorState>,
    /// Notified when something of a run is not shown.
    pub(super) leaves_out: Notify,
    /// What templates made becomes ours when they end.
    pub(super) inherits: Cell<bool>,
    /// Where work is done that takes long.
    pub(super) background: tokio::runtime::Handle,
    /// Whose turn it is to have something large read: it must not take every processor from who keeps limits.
    pub(super) large: Semaphore,
    /// Notified when a drain is over.
    pub(super) drained: Notify,
    timer: DeadlineTimer,
    effects: RefCell<Vec<PoolEffect>>,
}

/// The pool and the shell's side of what is in it.
pub(super) struct ExecutorState {
    pub(super) pool: Pool,
    /// In the order of their numbers, which is cheaper to search than to hash.
    pub(super) links: BTreeMap<WorkerId, Rc<WorkerLink>>,
    pub(super) runs: HashMap<Attempt, ExecutorRun>,
    pub(super) specs: WorkerSpecs,
    pub(super) orphaned_workers: Option<OrphanedWorkers>,
    /// Where workers get control groups of their own, if they do.
    pub(super) leaves: Option<Arc<WorkerLeaves>>,
    /// The limit of a worker's memory, which is watched where there is one; 0 is none.
    pub(super) memory_limit_bytes: u64,
}

/// What workers of each generation are started with. The pool numbers generations; one it has not spawned
/// from before gets the newest spec, so the two need not count alike.
pub(super) struct WorkerSpecs {
    pub(super) newest: Arc<WorkerSpec>,
    of: HashMap<u64, Arc<WorkerSpec>>,
}

impl WorkerSpecs {
    pub(super) fn new(spec: WorkerSpec) -> Self {
        Self { newest: Arc::new(spec), of: HashMap::new() }
    }

    pub(super) fn of(&mut self, generation: u64) -> Arc<WorkerSpec> {
        Arc::clone(self.of.entry(generation).or_insert_with(|| Arc::clone(&self.newest)))
    }
}

impl ExecutorLoop {
    pub(super) fn new(
        state: ExecutorState,
        clock: Clock,
        events: EventSender,
        spawner: Spawner,
        descriptions: Arc<Descriptions>,
        background: tokio::runtime::Handle,
    ) -> Rc<Self> {
        Rc::new(Self {
            clock,
            events,
            spawner,
            descriptions,
            births: SpawnCounter::open(),
            oom_kills: OomKillCount::default(),
            state: RefCell::new(state),
            leaves_out: Notify::new(),
            inherits: Cell::new(false),
            background,
            large: Semaphore::new(1),
            drained: Notify::new(),
            timer: DeadlineTimer::default(),
            effects: RefCell::default(),
        })
    }

    /// Starts the pool.
    pub(super) fn start(self: &Rc<Self>) {
        self.run_pool(|pool, now, effects| pool.start(now, effects));
    }

    /// Tells the pool what happened and does what it wants.
    pub(super) fn handle(self: &Rc<Self>, event: PoolEvent) {
        self.run_pool(|pool, now, effects| pool.step(now, event, effects));
    }

    /// Tells the pool what a worker did.
    pub(super) fn worker(self: &Rc<Self>, worker: WorkerId, event: WorkerEvent) {
        self.handle(PoolEvent::Worker { worker, event });
    }

    /// Takes a claimed attempt.
    pub(super) fn submit(self: &Rc<Self>, spec: RunSpec) {
        let assignment = spec.assignment(None);
        self.state.borrow_mut().runs.insert(assignment.attempt, ExecutorRun::new(spec));
        self.handle(PoolEvent::Submit(assignment));
    }

    /// Starts a new generation with new spec.
    pub(super) fn reload(self: &Rc<Self>, spec: WorkerSpec, config: PoolConfig) {
        {
            let mut state = self.state.borrow_mut();
            state.limit_memory(&config);
            state.specs.newest = Arc::new(spec);
        }
        self.run_pool(|pool, now, effects| pool.set_config(now, config, effects));
        self.handle(PoolEvent::Reload);
    }

    fn run_pool(self: &Rc<Self>, step: impl FnOnce(&mut Pool, PoolTime, &mut Vec<PoolEffect>)) {
        let mut effects = self.effects.take();
        let next = {
            let mut state = self.state.borrow_mut();
            let now = self.clock.now();
            step(&mut state.pool, now, &mut effects);
            for effect in effects.drain(..) {
                self.apply(&mut state, now, effect);
            }
            if state.pool.is_drained() {
                self.drained.notify_one();
            }
            state.pool.next_deadline()
        };
        self.effects.replace(effects);
        self.timer.arm(next);
    }

    pub(super) fn snapshot(&self) -> ExecutorSnapshot {
        let state = self.state.borrow();
        let workers = state
            .links
            .values()
            .map(|link| WorkerIdentity {
                worker: link.id,
                identity: AnnouncedIdentity::clone(&link.identity.borrow()),
            })
            .collect();
        ExecutorSnapshot { pool: state.pool.snapshot(self.clock.now()), identities: workers }
    }

    /// Tells in time what goes with something else, for ever.
    pub(super) async fn keep_telling(self: Rc<Self>) {
        tokio::join!(self.events.keep_telling(), self.keep_showing());
    }

    /// After this thread stood still past a deadline, lets whoever reads what lies in the pipes have their turns first. A stop ends
    /// the wait for descriptors early, so that timers are seen before what can be read.
    async fn catch_up(&self, deadline: tokio::time::Instant) {
        if deadline.elapsed() > STOOD_STILL_MIN {
            for _ in 0..CATCH_UP_TURNS {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Wakes the pool at its deadlines, for ever.
    pub(super) async fn keep_time(self: Rc<Self>) {
        loop {
            let Some(deadline) = self.timer.armed.get() else {
                self.timer.earlier.notified().await;
                continue;
            };
            let deadline = tokio::time::Instant::from_std(self.clock.instant(deadline));
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => {
                    self.catch_up(deadline).await;
                    self.timer.armed.set(None);
                    self.handle(PoolEvent::Tick);
                }
                () = self.timer.earlier.notified() => {}
            }
        }
    }
}

/// One timer for all deadlines. It is moved only to an earlier time: a deadline that went away costs one
/// tick that finds nothing to do, which is cheaper than moving the timer with every execution.
#[derive(Default)]
struct DeadlineTimer {
    armed: Cell<Option<PoolTime>>,
    earlier: Notify,
}

impl DeadlineTimer {
    fn arm(&self, next: Option<PoolTime>) {
        let Some(next) = next else { return };
        if self.armed.get().is_none_or(|armed| next < armed) {
            self.armed.set(Some(next));
            self.earlier.notify_one();
        }
    }
}
