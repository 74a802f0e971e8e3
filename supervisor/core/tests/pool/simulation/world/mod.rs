//! A world: virtual time, the agenda of what will happen, and a pool that lives in it.
//!
//! What happens is in rooms of its own: what people ask for (`commands`), what workers say (`sayings`), what the
//! pool wants done (`effects`), how workers take it (`reactions`), and what must hold after each step (`checks`).

mod checks;
mod commands;
mod effects;
mod reactions;
mod sayings;

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use muster_core::pool::{
    Isolation, Pool, PoolConfig, PoolEffect, PoolEvent, PoolInvariant, PoolTime, WorkerEvent, WorkerId,
};

use super::in_flight::Ledger;
use super::model::Model;
use crate::simulator::{Agenda, Schedule, ms, pick, require};

/// What kind of workers live here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Climate {
    /// Every sin, builds that cannot start, resizes and reloads.
    Rough,
    /// Starts and runs go well: then the pool must be perfect.
    Fair,
}

/// Something that will happen.
#[derive(Debug)]
enum Happening {
    Worker(WorkerId, WorkerEvent),
    /// Only if the worker still has that run.
    InRun(WorkerId, u32, WorkerEvent),
    Command,
    Fixed,
}

pub(crate) struct World {
    rng: Rng,
    climate: Climate,
    pub(crate) config: PoolConfig,
    pool: Pool,
    now: PoolTime,
    effects: Vec<PoolEffect>,
    agenda: Agenda<Happening>,
    workers: BTreeMap<WorkerId, Model>,
    in_flight: Ledger,
    commands_left: u32,
    submitted: u128,
    is_bad_build: bool,
    /// Workers of these builds can be templates.
    has_templates: bool,
    is_draining: bool,
    /// The first failure halts the pool.
    is_batch: bool,
    /// The end of the backoff after a failed start.
    not_before: Option<PoolTime>,
    /// What happened, line by line, if it is wanted: writing it takes longer than playing it.
    trace: Option<Vec<String>>,
    steps: u64,
}

const ISOLATIONS: [Isolation; 4] =
    [Isolation::None, Isolation::None, Isolation::Organization, Isolation::Execution];

impl World {
    pub(crate) fn new(seed: u64, climate: Climate, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let min_workers = rng.usize(0..=3);
        let config = PoolConfig {
            template: rng.bool(),
            min_workers,
            max_workers: rng.usize(min_workers.max(1)..=6),
            isolation: pick(&mut rng, &ISOLATIONS),
            graceful_shutdown: ms(&mut rng, 50, 5_000),
            recycle_after_executions: pick(&mut rng, &[0, 0, 1, 2, 5, 20]),
            recycle_after: pick(&mut rng, &[0, 0, 0, 2_000, 10_000].map(Duration::from_millis)),
            memory_limit_bytes: pick(&mut rng, &[0, 1_000_000]),
            worker_idle: ms(&mut rng, 100, 5_000),
            worker_start: ms(&mut rng, 1_000, 30_000),
            scale_up_wait: ms(&mut rng, 1, 50),
            give_up_after_start_failures: pick(&mut rng, &[None, None, None, Some(5)]),
            jitter_seed: seed,
        };
        let is_batch = climate == Climate::Rough && rng.u8(..) < 20;
        let is_bad_build = climate == Climate::Rough && rng.u8(..) < 40;
        let has_templates = rng.u8(..) < 200;
        let pool = Pool::new(config.clone(), PoolTime::START);
        let commands_left = rng.u32(10..60);
        Self {
            rng,
            climate,
            config,
            pool,
            now: PoolTime::START,
            effects: Vec::new(),
            agenda: Agenda::new(),
            workers: BTreeMap::new(),
            in_flight: Ledger::default(),
            commands_left,
            submitted: 0,
            is_bad_build,
            has_templates,
            is_draining: false,
            is_batch,
            not_before: None,
            trace: is_traced.then(Vec::new),
            steps: 0,
        }
    }

    /// Deadlines left over from an alarm that moved must come to an end too.
    fn step_tick_to_the_end(&mut self) -> bool {
        for _ in 0..10 {
            let Some(deadline) = self.pool.next_deadline() else { return false };
            self.now = self.now.max(deadline);
            self.step(PoolEvent::Tick);
        }
        true
    }

    /// Runs until nothing is on the agenda and no attempt is open; idle pools may keep their timers.
    fn play_until_quiet(&mut self) {
        let started = self.steps;
        let mut quiet_since: Option<PoolTime> = None;
        loop {
            require(self.steps - started < 200_000, PoolInvariant::ComesToRest, || {
                "the pool does not come to rest".into()
            });
            let agenda = self.agenda.next_time();
            let deadline = self.pool.next_deadline();
            if self.is_draining && self.pool.is_drained() && agenda.is_none() {
                return;
            }
            if agenda.is_none() && self.in_flight.is_at_rest() && !self.is_draining {
                // Let replacements workers retire, replacements settle and backoffs end.
                let since = *quiet_since.get_or_insert(self.now);
                if self.now.since(since) > Duration::from_secs(60) {
                    return;
                }
            } else if !self.in_flight.is_at_rest() {
                // What runs on leaves workers that retire later.
                quiet_since = None;
            }
            match (agenda, deadline) {
                (None, None) => return,
                (Some(time), Some(deadline)) if deadline < time => self.tick(deadline),
                (None, Some(deadline)) => self.tick(deadline),
                (Some(_), _) => self.next_happening(),
            }
        }
    }

    fn tick(&mut self, deadline: PoolTime) {
        assert!(deadline >= self.now, "a deadline that has passed was not acted on");
        // The shell's clock is never exactly on time.
        let late = if self.rng.bool() { Duration::ZERO } else { ms(&mut self.rng, 0, 3) };
        let next = self.agenda.next_time();
        self.now = next.map_or(deadline + late, |next| next.min(deadline + late));
        self.step(PoolEvent::Tick);
    }

    fn next_happening(&mut self) {
        let Some((time, happening)) = self.agenda.pop() else { return };
        self.now = self.now.max(time);
        match happening {
            Happening::Command => self.command(),
            Happening::Fixed => {
                self.is_bad_build = false;
                self.note(|| "the build is fixed".to_owned());
            }
            Happening::InRun(id, run, event) => {
                let has_run = self
                    .workers
                    .get(&id)
                    .is_some_and(|model| model.run.as_ref().is_some_and(|held| held.number == run));
                if has_run {
                    self.worker_says(id, event);
                }
            }
            Happening::Worker(id, event) => {
                if self.workers.contains_key(&id) {
                    self.worker_says(id, event);
                }
            }
        }
    }

    fn step(&mut self, event: PoolEvent) {
        let at = self.now.since_start();
        self.note(|| format!("{at:>10.3?} {event:?}"));
        self.pool.step(self.now, event, &mut self.effects);
        self.after_step();
    }

    fn after_step(&mut self) {
        self.steps += 1;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.note(|| format!("           -> {effect:?}"));
            self.obey(effect);
        }
        self.effects = effects;
        self.check();
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.agenda.enter(self.now + after, happening);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }
}

impl Schedule for World {
    /// Plays the whole schedule: commands, then rest, then the end.
    fn run(&mut self) {
        let config = format!("{:?}", self.config);
        self.note(|| config);
        self.pool.start(self.now, &mut self.effects);
        self.after_step();
        self.schedule(Duration::ZERO, Happening::Command);
        self.play_until_quiet();
        self.check_quiet();
        self.is_draining = true;
        self.step(PoolEvent::Drain { grace: Duration::from_secs(1) });
        self.play_until_quiet();
        require(self.pool.is_drained(), PoolInvariant::DrainEnds, || {
            format!("the drain does not end: {:?}", self.pool.snapshot(self.now))
        });
        require(self.workers.is_empty(), PoolInvariant::DrainEnds, || {
            format!("processes are left behind: {:?}", self.workers.keys())
        });
        require(self.in_flight.open().is_empty(), PoolInvariant::OneFinish, || {
            format!("lost: {:?}", self.in_flight.open())
        });
        assert_eq!(self.pool.next_deadline().filter(|_| self.step_tick_to_the_end()), None);
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn trace(&self) -> Vec<String> {
        self.trace.clone().unwrap_or_default()
    }
}
