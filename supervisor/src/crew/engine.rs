//! The heart of the shell: one event in, the pool's effects out, the timer set.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::clock::Clock;
use super::handle::{CrewSnapshot, WorkerIdentity};
use super::link::{Identity, Link};
use super::observer::Observer;
use super::order::Order;
use super::run::Run;
use super::thread::Gear;
use crate::execution::Attempt;
use crate::pool::{Effect, Event, Pool, PoolConfig, Time, WorkerEvent, WorkerId};
use crate::process::{Births, Leftovers, Spawner};

/// Everything the crew's thread owns.
pub(super) struct Engine {
    pub(super) clock: Clock,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) spawner: Spawner,
    /// Tells whether anything was started since.
    pub(super) births: Births,
    pub(super) state: RefCell<State>,
    /// Where answers that must wait for a database are awaited.
    pub(super) background: tokio::runtime::Handle,
    /// Notified when a drain is over.
    pub(super) drained: Notify,
    timer: Timer,
    effects: RefCell<Vec<Effect>>,
}

/// The pool and the shell's side of what is in it.
pub(super) struct State {
    pub(super) pool: Pool,
    /// In the order of their numbers, which is cheaper to search than to hash.
    pub(super) links: BTreeMap<WorkerId, Rc<Link>>,
    pub(super) runs: HashMap<Attempt, Run>,
    pub(super) gears: Gears,
    pub(super) leftovers: Option<Leftovers>,
    /// Somebody set a limit, so the memory of runs is watched.
    pub(super) memory_limited: bool,
}

/// What workers of each generation are started with. The pool numbers generations; one it has not spawned
/// from before gets the newest gear, so the two need not count alike.
pub(super) struct Gears {
    pub(super) newest: Arc<Gear>,
    of: HashMap<u64, Arc<Gear>>,
}

impl Gears {
    pub(super) fn new(gear: Gear) -> Self {
        Self { newest: Arc::new(gear), of: HashMap::new() }
    }

    pub(super) fn of(&mut self, generation: u64) -> Arc<Gear> {
        Arc::clone(self.of.entry(generation).or_insert_with(|| Arc::clone(&self.newest)))
    }
}

impl Engine {
    pub(super) fn new(
        state: State,
        clock: Clock,
        observer: Arc<dyn Observer>,
        spawner: Spawner,
        background: tokio::runtime::Handle,
    ) -> Rc<Self> {
        Rc::new(Self {
            clock,
            observer,
            spawner,
            births: Births::open(),
            state: RefCell::new(state),
            background,
            drained: Notify::new(),
            timer: Timer::default(),
            effects: RefCell::default(),
        })
    }

    /// Starts the pool.
    pub(super) fn start(self: &Rc<Self>) {
        self.run_pool(|pool, now, effects| pool.start(now, effects));
    }

    /// Tells the pool what happened and does what it wants.
    pub(super) fn handle(self: &Rc<Self>, event: Event) {
        self.run_pool(|pool, now, effects| pool.step(now, event, effects));
    }

    /// Tells the pool what a worker did.
    pub(super) fn worker(self: &Rc<Self>, worker: WorkerId, event: WorkerEvent) {
        self.handle(Event::Worker { worker, event });
    }

    /// Takes a claimed attempt.
    pub(super) fn submit(self: &Rc<Self>, order: Order) {
        let assignment = order.assignment();
        self.state.borrow_mut().runs.insert(assignment.attempt, Run::new(order));
        self.handle(Event::Submit(assignment));
    }

    /// Starts a new generation with new gear.
    pub(super) fn reload(self: &Rc<Self>, gear: Gear, config: PoolConfig) {
        {
            let mut state = self.state.borrow_mut();
            state.memory_limited = config.memory_limit_bytes > 0;
            state.gears.newest = Arc::new(gear);
        }
        self.run_pool(|pool, now, effects| pool.set_config(now, config, effects));
        self.handle(Event::Reload);
    }

    fn run_pool(self: &Rc<Self>, step: impl FnOnce(&mut Pool, Time, &mut Vec<Effect>)) {
        let mut effects = self.effects.take();
        let next = {
            let mut state = self.state.borrow_mut();
            step(&mut state.pool, self.clock.now(), &mut effects);
            for effect in effects.drain(..) {
                self.apply(&mut state, effect);
            }
            if state.pool.is_drained() {
                self.drained.notify_one();
            }
            state.pool.next_deadline()
        };
        self.effects.replace(effects);
        self.timer.arm(next);
    }

    pub(super) fn snapshot(&self) -> CrewSnapshot {
        let state = self.state.borrow();
        let workers = state
            .links
            .values()
            .map(|link| WorkerIdentity {
                worker: link.id,
                identity: Identity::clone(&link.identity.borrow()),
            })
            .collect();
        CrewSnapshot { pool: state.pool.snapshot(self.clock.now()), identities: workers }
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
                    self.timer.armed.set(None);
                    self.handle(Event::Tick);
                }
                () = self.timer.earlier.notified() => {}
            }
        }
    }
}

/// One timer for all deadlines. It is moved only to an earlier time: a deadline that went away costs one
/// tick that finds nothing to do, which is cheaper than moving the timer with every execution.
#[derive(Default)]
struct Timer {
    armed: Cell<Option<Time>>,
    earlier: Notify,
}

impl Timer {
    fn arm(&self, next: Option<Time>) {
        let Some(next) = next else { return };
        if self.armed.get().is_none_or(|armed| next < armed) {
            self.armed.set(Some(next));
            self.earlier.notify_one();
        }
    }
}
