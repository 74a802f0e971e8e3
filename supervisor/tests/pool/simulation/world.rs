//! The driver: virtual time, the agenda of what workers and people will do, and the checks after each step.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use fastrand::Rng;
use muster_protocol::{CancelReason, Outcome};
use muster_supervisor::execution::Attempt;
use muster_supervisor::pool::{
    Assignment, Effect, Ending, Event, ExitStatus, KillCause, Pool, PoolConfig, PoolSnapshot, ReloadSnapshot,
    Time, WorkerEvent, WorkerId,
};
use uuid::Uuid;

use super::ledger::Ledger;
use super::model::{Leaves, Model, ModelRun, Plan, exited, finished, ms, pick};

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
    Mended,
}

pub(crate) struct World {
    rng: Rng,
    climate: Climate,
    pub(crate) config: PoolConfig,
    pool: Pool,
    now: Time,
    effects: Vec<Effect>,
    agenda: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next_happening: u64,
    workers: BTreeMap<WorkerId, Model>,
    ledger: Ledger,
    commands_left: u32,
    submitted: u128,
    is_bad_build: bool,
    is_draining: bool,
    /// The first failure halts the pool.
    is_batch: bool,
    /// The end of the backoff after a failed start.
    not_before: Option<Time>,
    /// What happened, line by line, if it is wanted: writing it takes longer than playing it.
    trace: Option<Vec<String>>,
    steps: u64,
}

impl World {
    pub(crate) fn new(seed: u64, climate: Climate, is_traced: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let min_workers = rng.usize(0..=3);
        let config = PoolConfig {
            min_workers,
            max_workers: rng.usize(min_workers.max(1)..=6),
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
        let pool = Pool::new(config.clone(), Time::START);
        let commands_left = rng.u32(10..60);
        Self {
            rng,
            climate,
            config,
            pool,
            now: Time::START,
            effects: Vec::new(),
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next_happening: 0,
            workers: BTreeMap::new(),
            ledger: Ledger::default(),
            commands_left,
            submitted: 0,
            is_bad_build,
            is_draining: false,
            is_batch,
            not_before: None,
            trace: is_traced.then(Vec::new),
            steps: 0,
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.clone().unwrap_or_default()
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Plays the whole schedule: commands, then rest, then the end.
    pub(crate) fn run(&mut self) {
        let config = format!("{:?}", self.config);
        self.note(|| config);
        self.pool.start(self.now, &mut self.effects);
        self.after_step();
        self.schedule(Duration::ZERO, Happening::Command);
        self.play_until_quiet();
        self.check_quiet();
        self.is_draining = true;
        self.step(Event::Drain { grace: Duration::from_secs(1) });
        self.play_until_quiet();
        assert!(self.pool.is_drained(), "the drain does not end: {:?}", self.pool.snapshot(self.now));
        assert!(self.workers.is_empty(), "processes are left behind: {:?}", self.workers.keys());
        assert!(self.ledger.open().is_empty(), "lost: {:?}", self.ledger.open());
        assert_eq!(self.pool.next_deadline().filter(|_| self.step_tick_to_the_end()), None);
    }

    /// Deadlines left over from an alarm that moved must come to an end too.
    fn step_tick_to_the_end(&mut self) -> bool {
        for _ in 0..10 {
            let Some(deadline) = self.pool.next_deadline() else { return false };
            self.now = self.now.max(deadline);
            self.step(Event::Tick);
        }
        true
    }

    /// Runs until nothing is on the agenda and no attempt is open; idle pools may keep their timers.
    fn play_until_quiet(&mut self) {
        let started = self.steps;
        let mut quiet_since: Option<Time> = None;
        loop {
            assert!(self.steps - started < 200_000, "the pool does not come to rest");
            let agenda = self.agenda.peek().map(|Reverse((time, _))| *time);
            let deadline = self.pool.next_deadline();
            if self.is_draining && self.pool.is_drained() && agenda.is_none() {
                return;
            }
            if agenda.is_none() && self.ledger.is_at_rest() && !self.is_draining {
                // Let surplus workers retire, replacements settle and backoffs end.
                let since = *quiet_since.get_or_insert(self.now);
                if self.now.since(since) > Duration::from_secs(60) {
                    return;
                }
            }
            match (agenda, deadline) {
                (None, None) => return,
                (Some(time), Some(deadline)) if deadline < time => self.tick(deadline),
                (None, Some(deadline)) => self.tick(deadline),
                (Some(_), _) => self.next_happening(),
            }
        }
    }

    fn tick(&mut self, deadline: Time) {
        assert!(deadline >= self.now, "a deadline that has passed was not acted on");
        // The shell's clock is never exactly on time.
        let late = if self.rng.bool() { Duration::ZERO } else { ms(&mut self.rng, 0, 3) };
        let next = self.agenda.peek().map(|Reverse((time, _))| *time);
        self.now = next.map_or(deadline + late, |next| next.min(deadline + late));
        self.step(Event::Tick);
    }

    fn next_happening(&mut self) {
        let Some(Reverse((time, number))) = self.agenda.pop() else { return };
        self.now = self.now.max(time);
        let Some(happening) = self.happenings.remove(&number) else { return };
        match happening {
            Happening::Command => self.command(),
            Happening::Mended => {
                self.is_bad_build = false;
                self.note(|| "the build is mended".to_owned());
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

    /// A worker's process says something: noted in the world's own books first, then told to the pool.
    fn worker_says(&mut self, id: WorkerId, event: WorkerEvent) {
        let Some(model) = self.workers.get_mut(&id) else { return };
        let mut is_gone = false;
        match &event {
            WorkerEvent::Spawned { .. } => model.is_spawned = true,
            WorkerEvent::SpawnFailed { .. } => is_gone = true,
            WorkerEvent::Ready => {
                model.is_idle = !model.was_ready && !model.was_retired && !model.was_killed;
                model.was_ready = true;
            }
            WorkerEvent::Started { run } => {
                if let Some(held) = model.run.as_ref().filter(|held| held.number == *run) {
                    let entry = self.ledger.entry(held.attempt);
                    entry.was_started |= !entry.is_over && entry.outcome.is_none();
                }
            }
            WorkerEvent::Finished { run, outcome, .. } => {
                if let Some(held) = model.run.as_ref().filter(|held| held.number == *run) {
                    let entry = self.ledger.entry(held.attempt);
                    if !entry.is_over && entry.outcome.is_none() {
                        entry.outcome = Some(outcome.clone());
                    }
                }
            }
            WorkerEvent::Idle { run, .. } => {
                let ends = model.run.as_ref().is_some_and(|held| held.number == *run);
                if ends
                    && let Some(held) = &model.run
                    && self.ledger.entry(held.attempt).outcome.is_some()
                {
                    model.run = None;
                    model.is_idle = !model.was_terminated && !model.was_killed && !model.was_retired;
                }
            }
            WorkerEvent::Exited(_) => is_gone = true,
            WorkerEvent::Hello { .. }
            | WorkerEvent::InitFailed { .. }
            | WorkerEvent::Goodbye { .. }
            | WorkerEvent::Violation(_)
            | WorkerEvent::MemorySample { .. } => {}
        }
        if is_gone && let Some(held) = self.workers.remove(&id).and_then(|model| model.run) {
            let entry = self.ledger.entry(held.attempt);
            if entry.worker == Some(id) {
                entry.worker = None;
            }
        }
        self.step(Event::Worker { worker: id, event });
    }

    fn command(&mut self) {
        if self.commands_left == 0 {
            if self.is_bad_build {
                self.schedule(Duration::ZERO, Happening::Mended);
            }
            return;
        }
        self.commands_left -= 1;
        let wait = if self.rng.bool() { ms(&mut self.rng, 0, 20) } else { ms(&mut self.rng, 0, 2_000) };
        self.schedule(wait, Happening::Command);
        let is_rough = self.climate == Climate::Rough;
        match self.rng.u8(0..40) {
            0..=23 => {
                for _ in 0..self.rng.usize(1..=4) {
                    self.submit();
                }
            }
            24..=28 if is_rough => self.cancel_one(),
            29 | 30 if is_rough => self.resize(),
            31 => {
                let worker = WorkerId(self.rng.u64(0..12));
                self.step(Event::Recycle(worker));
            }
            32 => self.step(Event::RecycleAll),
            33 | 34 => self.step(Event::Reload),
            35 if is_rough => {
                self.is_bad_build = true;
                let mended_in = ms(&mut self.rng, 10, 60_000);
                self.schedule(mended_in, Happening::Mended);
            }
            36 if is_rough && self.rng.u8(..) < 30 => {
                self.is_draining = true;
                let grace = ms(&mut self.rng, 0, 5_000);
                self.step(Event::Drain { grace });
            }
            37 if is_rough && self.rng.u8(..) < 20 => {
                self.is_draining = true;
                self.step(Event::DrainNow);
            }
            38 if is_rough && self.rng.u8(..) < 20 => {
                self.is_draining = true;
                self.step(Event::Halt);
            }
            _ => self.strangers(),
        }
    }

    /// Events about things that are gone or never were.
    fn strangers(&mut self) {
        let worker = WorkerId(90_000);
        self.step(Event::Worker { worker, event: WorkerEvent::Ready });
        let attempt = Attempt::new(Uuid::from_u128(u128::MAX), 1);
        self.step(Event::Cancel { attempt, reason: CancelReason::User, message: String::new() });
        self.step(Event::Recycle(worker));
    }

    fn submit(&mut self) {
        self.submitted += 1;
        let attempt = Attempt::new(Uuid::from_u128(self.submitted), self.rng.u32(1..4));
        let timeout = ms(&mut self.rng, 1, 3_000);
        // In a fair world nothing takes longer than three seconds, so no timeout may fire. In a rough one
        // some may take for ever: only the drain ends them.
        let timeout = match self.climate {
            Climate::Rough => Some(timeout).filter(|_| self.rng.u8(..) > 10),
            Climate::Fair => Some(Duration::from_secs(10)).filter(|_| self.rng.bool()),
        };
        self.ledger.submit(attempt, timeout.is_none());
        self.step(Event::Submit(Assignment { attempt, timeout, halts: self.is_batch }));
        if self.rng.u8(..) < 10 {
            // Delivered twice.
            if self.ledger.open().contains(&attempt) {
                self.step(Event::Submit(Assignment { attempt, timeout, halts: self.is_batch }));
            }
        }
    }

    fn cancel_one(&mut self) {
        let open: Vec<Attempt> = self.ledger.open().iter().copied().collect();
        if open.is_empty() {
            return;
        }
        let attempt = pick(&mut self.rng, &open);
        let reasons =
            [CancelReason::User, CancelReason::User, CancelReason::LeaseLost, CancelReason::Shutdown];
        let reason = pick(&mut self.rng, &reasons);
        self.ledger.entry(attempt).asked.push(reason);
        self.step(Event::Cancel { attempt, reason, message: "because".to_owned() });
    }

    fn resize(&mut self) {
        let min_workers = self.rng.usize(0..=4);
        let max_workers = self.rng.usize(min_workers.max(1)..=8);
        self.config.min_workers = min_workers;
        self.config.max_workers = max_workers;
        self.step(Event::Resize { min_workers, max_workers });
    }

    fn step(&mut self, event: Event) {
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

    /// Does what the pool wants, and checks that it may want it.
    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { worker, generation } => self.spawn(worker, generation),
            Effect::Welcome { worker, .. } => {
                self.live(worker);
            }
            Effect::Execute { worker, run, attempt, .. } => self.execute(worker, run, attempt),
            Effect::Started { attempt, worker } => {
                assert!(self.ledger.entry(attempt).was_started && self.live(worker).run.is_some());
            }
            Effect::Cancel { worker, run, attempt, reason, .. } => {
                self.told(attempt, reason);
                self.react_to_cancel(worker, run);
            }
            Effect::Dump { worker, run } => {
                let model = self.live(worker);
                assert!(model.features.dump, "a Dump to a worker that takes none");
                assert!(model.run.as_ref().is_some_and(|held| held.number == run), "a Dump for no run");
            }
            Effect::Retire { worker, .. } => self.react_to_retire(worker),
            Effect::Terminate { worker, cause } => self.react_to_sigterm(worker, cause),
            Effect::Kill { worker, cause } => self.react_to_sigkill(worker, cause),
            Effect::Finish(finish) => {
                let are_starts_failing = self.pool.snapshot(self.now).starts.consecutive_failures > 0;
                self.ledger.finish(&finish, self.is_draining, are_starts_failing);
                self.is_draining |= self.is_batch && finish.worker.is_some() && ends_badly(&finish.ending);
            }
            Effect::StartFailed { retry_in, .. } => {
                self.not_before = Some(self.now + retry_in);
                assert!(self.climate == Climate::Rough, "a start failed in a fair world");
                assert!(retry_in <= Duration::from_secs(13), "a backoff of {retry_in:?}");
            }
            Effect::StartsRecovered => self.not_before = None,
            Effect::ReloadFailed { .. } | Effect::Reloaded { .. } => {}
        }
    }

    fn live(&mut self, worker: WorkerId) -> &mut Model {
        match self.workers.get_mut(&worker) {
            Some(model) => model,
            None => panic!("an effect names {worker}, which is gone"),
        }
    }

    fn spawn(&mut self, worker: WorkerId, generation: u64) {
        assert!(!self.is_draining, "a spawn while draining");
        let snapshot = self.pool.snapshot(self.now);
        let is_early = self.not_before.is_some_and(|not_before| self.now < not_before);
        assert!(!is_early || generation > snapshot.generation, "a spawn before the backoff is over");
        let canary = usize::from(matches!(snapshot.reload, ReloadSnapshot::Canary { .. }));
        let serving = snapshot.starting + snapshot.idle + snapshot.busy;
        let ceiling = self.config.max_workers.max(snapshot.running) + 1 + canary;
        assert!(serving <= ceiling, "{serving} workers serve");
        let model = Model::draw(&mut self.rng, self.climate, self.is_bad_build);
        for (after, event) in model.start_script(&mut self.rng) {
            self.schedule(after, Happening::Worker(worker, event));
        }
        assert!(self.workers.insert(worker, model).is_none(), "{worker} was spawned twice");
        let processes = self.workers.len();
        assert!(processes <= self.config.max_processes(), "{processes} processes");
    }

    fn execute(&mut self, worker: WorkerId, run: u32, attempt: Attempt) {
        self.ledger.executes(attempt, worker);
        let running = self.ledger.held_by_workers();
        assert!(running <= self.config.max_workers || self.is_draining, "{running} executions at once");
        let plan = Plan::draw(&mut self.rng, self.climate);
        let limit_bytes = self.config.memory_limit_bytes;
        let script = plan.script(&mut self.rng, run, limit_bytes);
        let model = self.live(worker);
        assert!(model.is_idle && model.run.is_none(), "an Execute to {worker}, which is not idle");
        assert!(run > model.runs, "run numbers count up");
        model.is_idle = false;
        model.runs = run;
        model.run = Some(ModelRun { number: run, attempt });
        self.note(|| format!("           .. {worker} will be {plan:?}"));
        for (after, event) in script {
            // A death or stray output happens whether or not the run is still there.
            let happening = if matches!(event, WorkerEvent::Exited(_) | WorkerEvent::Violation(_)) {
                Happening::Worker(worker, event)
            } else {
                Happening::InRun(worker, run, event)
            };
            self.schedule(after, happening);
        }
    }

    fn told(&mut self, attempt: Attempt, reason: CancelReason) {
        let entry = self.ledger.entry(attempt);
        assert!(!entry.is_over, "a cancel of {attempt}, which is over");
        assert!(entry.outcome.is_none(), "a cancel of {attempt} after its Finished was read");
        entry.told.get_or_insert(reason);
    }

    fn react_to_cancel(&mut self, worker: WorkerId, run: u32) {
        let how_fast = self.rng.u8(..);
        let succeeds = self.rng.u8(..) < 60;
        let model = self.live(worker);
        assert!(model.features.cancel, "a Cancel to a worker that takes none");
        assert!(model.run.as_ref().is_some_and(|held| held.number == run), "a Cancel for no run");
        let leaves = model.leaves;
        let ended = Outcome::Cancelled { message: "stopped".to_owned() };
        let won = Outcome::Succeeded { result: muster_protocol::JsonBytes(b"2".to_vec()) };
        let outcome = if succeeds { won } else { ended };
        let idle = WorkerEvent::Idle { run, rss_bytes: 1_000, recycle: false };
        let finish_in = Duration::from_micros(u64::from(how_fast) * 300);
        match leaves {
            Leaves::Politely => {
                self.schedule(finish_in, Happening::InRun(worker, run, finished(run, outcome)));
                self.schedule(finish_in, Happening::InRun(worker, run, idle));
            }
            Leaves::Slowly => {
                self.schedule(finish_in, Happening::InRun(worker, run, finished(run, outcome)));
                let idle_in = ms(&mut self.rng, 10, 8_000);
                self.schedule(idle_in, Happening::InRun(worker, run, idle));
            }
            Leaves::AtSigtermWithResult
            | Leaves::AtSigterm
            | Leaves::AtSigkillWithResult
            | Leaves::AtSigkill => {}
        }
    }

    fn react_to_retire(&mut self, worker: WorkerId) {
        let exits_in = ms(&mut self.rng, 0, 30);
        let exit = exited(&mut self.rng, ExitStatus::Code(0));
        let model = self.live(worker);
        assert!(model.is_spawned, "{worker} is retired before it exists");
        assert!(model.run.is_none(), "{worker} is retired with a run in hand");
        assert!(!model.was_retired && !model.was_terminated && !model.was_killed);
        model.was_retired = true;
        model.is_idle = false;
        if matches!(model.leaves, Leaves::Politely | Leaves::Slowly) {
            self.schedule(exits_in, Happening::Worker(worker, exit));
        }
    }

    fn react_to_sigterm(&mut self, worker: WorkerId, cause: KillCause) {
        let exits_in = ms(&mut self.rng, 0, 300);
        let exit = exited(&mut self.rng, ExitStatus::Signal(15));
        let model = self.live(worker);
        assert!(
            model.is_spawned && !model.was_terminated && !model.was_killed,
            "a second SIGTERM to {worker}"
        );
        model.was_terminated = true;
        model.is_idle = false;
        let leaves = model.leaves;
        let held = model.run.clone();
        if let (KillCause::Cancelled(reason), Some(held)) = (cause, &held)
            && self.ledger.entry(held.attempt).told.is_none()
        {
            self.told(held.attempt, reason);
        }
        let result = Outcome::Succeeded { result: muster_protocol::JsonBytes(b"3".to_vec()) };
        match leaves {
            Leaves::Politely | Leaves::Slowly | Leaves::AtSigterm => {
                self.schedule(exits_in, Happening::Worker(worker, exit));
            }
            Leaves::AtSigtermWithResult => {
                if let Some(held) = held {
                    let event = finished(held.number, result);
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, event));
                }
                self.schedule(exits_in, Happening::Worker(worker, exit));
            }
            Leaves::AtSigkillWithResult => {
                if let Some(held) = held {
                    let idle = WorkerEvent::Idle { run: held.number, rss_bytes: 1_000, recycle: false };
                    let event = finished(held.number, result);
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, event));
                    self.schedule(exits_in / 2, Happening::InRun(worker, held.number, idle));
                }
            }
            Leaves::AtSigkill => {}
        }
    }

    fn react_to_sigkill(&mut self, worker: WorkerId, _cause: KillCause) {
        let exits_in = ms(&mut self.rng, 0, 20);
        let exit = exited(&mut self.rng, ExitStatus::Signal(9));
        let model = self.live(worker);
        assert!(model.is_spawned && !model.was_killed, "a second SIGKILL to {worker}");
        model.was_killed = true;
        model.is_idle = false;
        self.schedule(exits_in, Happening::Worker(worker, exit));
    }

    fn schedule(&mut self, after: Duration, happening: Happening) {
        self.next_happening += 1;
        self.agenda.push(Reverse((self.now + after, self.next_happening)));
        self.happenings.insert(self.next_happening, happening);
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// What must hold after every step.
    fn check(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if let Some(deadline) = self.pool.next_deadline() {
            assert!(deadline > self.now, "the next deadline is not in the future");
        }
        assert_eq!(snapshot.workers.len(), self.workers.len(), "the pool's workers are not the world's");
        let count = |names: &[&str]| snapshot.workers.iter().filter(|one| names.contains(&one.state)).count();
        assert_eq!(snapshot.starting, count(&["starting"]), "the census drifts");
        assert_eq!(snapshot.idle, count(&["idle"]), "the census drifts");
        assert_eq!(snapshot.busy, count(&["sent", "running", "finished", "cancelling"]), "the census drifts");
        let open = self.ledger.open().len();
        assert_eq!(snapshot.running + snapshot.waiting, open, "an attempt is lost or invented");
        self.check_states_end(&snapshot.workers);
        if !self.is_draining {
            self.check_size(&snapshot);
        }
    }

    /// Every state but idle, and running without a timeout, ends in bounded time.
    fn check_states_end(&self, workers: &[muster_supervisor::pool::WorkerSnapshot]) {
        let limit = |state, is_unlimited: bool| {
            let slack = Duration::from_millis(10);
            let limit = match state {
                "starting" => self.config.worker_start.max(Duration::from_secs(10)),
                "sent" | "finished" => Duration::from_secs(10),
                "running" if self.climate == Climate::Rough && !is_unlimited => Duration::from_secs(3),
                "cancelling" => Duration::from_secs(1),
                "departing" | "terminating" | "leaving" => self.config.graceful_shutdown,
                "killed" => Duration::from_millis(20),
                _ => return None,
            };
            Some(limit + slack)
        };
        for worker in workers {
            let attempt =
                worker.execution_id.zip(worker.attempt).map(|(id, number)| Attempt::new(id, number));
            let is_unlimited = attempt.is_some_and(|attempt| self.ledger.is_unlimited(attempt));
            if let Some(limit) = limit(worker.state, is_unlimited) {
                let since = Duration::from_millis(worker.since_ms);
                assert!(since <= limit, "{} has been {} for {since:?}", worker.worker, worker.state);
            }
        }
    }

    /// The warm minimum, no idle worker beside waiting work, no waiting without a start under way.
    fn check_size(&self, snapshot: &PoolSnapshot) {
        let is_failing = snapshot.starts.consecutive_failures > 0 || snapshot.starts.gave_up;
        let is_full = self.workers.len() >= self.config.max_processes();
        let may_run = self.config.max_workers.saturating_sub(snapshot.running);
        if snapshot.waiting > 0 && may_run > 0 {
            assert_eq!(snapshot.idle, 0, "an idle worker beside waiting work");
            let has_waited = Duration::from_millis(snapshot.oldest_wait_ms)
                > self.config.scale_up_wait + Duration::from_millis(5);
            if has_waited && !is_failing && !is_full {
                let is_at_ceiling = snapshot.starting + snapshot.busy >= self.config.max_workers;
                assert!(snapshot.starting > 0 || is_at_ceiling, "work waits and nothing starts");
            }
        }
        if !is_failing && !is_full {
            let serving = snapshot.starting + snapshot.idle + snapshot.busy;
            assert!(serving >= self.config.min_workers, "{serving} workers are fewer than the minimum");
        }
        if self.climate == Climate::Fair {
            let was_ready_once = self.now.since_start() > Duration::from_millis(400);
            let ready = snapshot.idle + snapshot.busy;
            assert!(!was_ready_once || ready >= self.config.min_workers, "a dip to {ready} Ready workers");
        }
    }

    /// Nothing to do for a while: the pool is whole and as small as it should be.
    fn check_quiet(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if self.is_draining {
            return;
        }
        assert!(self.ledger.is_at_rest(), "lost: {:?}", self.ledger.open());
        assert!(!snapshot.starts.gave_up || snapshot.starts.consecutive_failures >= 5);
        if snapshot.starts.gave_up {
            return;
        }
        // A start that failed is tried again when a worker is needed, and then it succeeds.
        let is_whole = snapshot.idle + snapshot.busy >= self.config.min_workers;
        assert!(snapshot.starts.consecutive_failures == 0 || is_whole, "the pool has not recovered");
        // A run that takes for ever may keep its worker, its replacement and the end of a reload waiting.
        let is_replacing = !self.config.recycle_after.is_zero();
        if !is_replacing && self.ledger.open().is_empty() {
            assert_eq!(snapshot.busy, 0);
            assert_eq!(
                snapshot.idle, self.config.min_workers,
                "a quiet pool is of its smallest size: {snapshot:#?}"
            );
            assert_eq!(snapshot.starting, 0);
            assert!(
                snapshot.workers.iter().all(|one| one.generation == snapshot.generation),
                "an old generation stays"
            );
        }
    }
}

/// Nothing follows it in a batch.
fn ends_badly(ending: &Ending) -> bool {
    matches!(ending, Ending::Failed { .. } | Ending::TimedOut { .. } | Ending::Cancelled { .. })
}
