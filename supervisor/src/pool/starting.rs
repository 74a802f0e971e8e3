//! From spawn to Ready, and what happens when it does not get there.

use muster_protocol::{ErrorInfo, PROTOCOL_VERSION};

use super::config::HELLO_TIMEOUT;
use super::effect::{Effect, KillCause};
use super::event::{Exit, Features, WorkerId};
use super::machine::Pool;
use super::time::Time;
use super::timers::{Alarm, Timer};
use super::verdict::stderr_quote;
use super::worker::{Leaving, Parting, Stage, State, Worker};

impl Pool {
    /// Starts a process of the given generation.
    pub(super) fn spawn(&mut self, now: Time, generation: u64, effects: &mut Vec<Effect>) -> WorkerId {
        self.last_worker += 1;
        let id = WorkerId(self.last_worker);
        let mut worker = Worker {
            id,
            generation,
            pid: None,
            features: Features::default(),
            spawned_at: now,
            ready_at: None,
            since: now,
            runs: 0,
            executions_done: 0,
            rss_bytes: 0,
            execution_limit: self.config.execution_limit(id.0),
            due: None,
            alarm: Alarm::default(),
            age_alarm: Alarm::default(),
            state: State::Starting(Stage::Spawning),
        };
        worker.set_deadline(&mut self.timers, Some(now + HELLO_TIMEOUT.min(self.config.worker_start)));
        self.census.enter(worker.standing());
        self.workers.insert(id, worker);
        effects.push(Effect::Spawn { worker: id, generation });
        id
    }

    pub(super) fn spawned(&mut self, now: Time, id: WorkerId, pid: u32, effects: &mut Vec<Effect>) {
        let graceful = self.config.graceful_shutdown;
        self.alter(id, |worker, timers| {
            worker.pid = Some(pid);
            match &mut worker.state {
                State::Starting(stage) => {
                    if *stage == Stage::Spawning {
                        *stage = Stage::Connecting;
                    }
                }
                State::Leaving(leaving @ Leaving::Unborn(_)) => {
                    // It was given up while it came into being: now there is something to end.
                    match std::mem::replace(leaving, Leaving::Asked) {
                        Leaving::Unborn(Parting::Kill(cause)) => {
                            *leaving = Leaving::Killed;
                            effects.push(Effect::Kill { worker: id, cause });
                        }
                        Leaving::Unborn(Parting::Retire(reason)) => {
                            effects.push(Effect::Retire { worker: id, reason });
                            worker.set_deadline(timers, Some(now + graceful));
                        }
                        Leaving::Asked | Leaving::Terminated(_) | Leaving::Killed => {}
                    }
                }
                State::Idle { .. }
                | State::Busy(_)
                | State::Leaving(Leaving::Asked | Leaving::Terminated(_) | Leaving::Killed) => {}
            }
        });
    }

    pub(super) fn spawn_failed(&mut self, now: Time, id: WorkerId, message: &str, effects: &mut Vec<Effect>) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(_) => {
                self.start_failed(now, id, format!("the process could not be started: {message}"), effects);
            }
            // It had been given up before.
            State::Leaving(_) => {}
            // A process that served cannot fail to spawn; its Exited will tell.
            State::Idle { .. } | State::Busy(_) => return,
        }
        self.remove(id);
    }

    pub(super) fn hello(
        &mut self,
        now: Time,
        id: WorkerId,
        (protocol_min, protocol_max): (u16, u16),
        features: Features,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(Stage::Spawning | Stage::Connecting) => {}
            State::Starting(Stage::Loading) | State::Idle { .. } | State::Busy(_) => {
                return self.broken(now, id, "a second Hello".to_owned(), effects);
            }
            State::Leaving(_) => return,
        }
        if protocol_min > PROTOCOL_VERSION || protocol_max < 1 || protocol_min > protocol_max {
            let message = format!(
                "it speaks protocol versions {protocol_min} to {protocol_max}, this supervisor speaks 1 to \
                 {PROTOCOL_VERSION}: update the older of the two"
            );
            self.retire(now, id, &message, effects);
            return self.start_failed(now, id, message, effects);
        }
        let ready_by = self.config.worker_start;
        self.alter(id, |worker, timers| {
            worker.features = features;
            worker.since = now;
            worker.state = State::Starting(Stage::Loading);
            worker.set_deadline(timers, Some(worker.spawned_at + ready_by));
        });
        let protocol = protocol_max.min(PROTOCOL_VERSION);
        effects.push(Effect::Welcome { worker: id, protocol, features });
    }

    pub(super) fn ready(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(Stage::Loading) => {}
            State::Starting(Stage::Spawning | Stage::Connecting) => {
                return self.broken(now, id, "Ready before Hello".to_owned(), effects);
            }
            State::Idle { .. } | State::Busy(_) => {
                return self.broken(now, id, "a second Ready".to_owned(), effects);
            }
            State::Leaving(_) => return,
        }
        let recycle_after = self.config.recycle_after;
        self.alter(id, |worker, timers| {
            worker.ready_at = Some(now);
            let aged_at = (!recycle_after.is_zero()).then_some(now + recycle_after);
            timers.set(&mut worker.age_alarm, Timer::Age(id), aged_at);
        });
        self.rest(now, id);
        if self.starts.recovered() {
            effects.push(Effect::StartsRecovered);
        }
        self.start_succeeded(id);
    }

    pub(super) fn init_failed(
        &mut self,
        now: Time,
        id: WorkerId,
        error: &ErrorInfo,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(_) => {
                let kind = if error.kind.is_empty() { "" } else { ": " };
                let message = format!("it could not load: {}{kind}{}", error.kind, error.message);
                self.retire(now, id, "it could not load", effects);
                self.start_failed(now, id, message, effects);
            }
            State::Idle { .. } | State::Busy(_) => {
                self.broken(now, id, "InitFailed after Ready".to_owned(), effects);
            }
            State::Leaving(_) => {}
        }
    }

    pub(super) fn start_timed_out(
        &mut self,
        now: Time,
        id: WorkerId,
        stage: Stage,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let waited = now.since(worker.spawned_at).as_secs_f64();
        let message = match stage {
            Stage::Spawning => format!("no process after {waited:.1} s"),
            Stage::Connecting => format!(
                "no Hello within {waited:.1} s: is worker_command a worker? `supervisor check-worker` tells"
            ),
            Stage::Loading => format!(
                "not Ready within {waited:.1} s: it loads for too long, or worker_start_seconds is too short"
            ),
        };
        self.kill_outright(now, id, KillCause::StartTimeout, effects);
        self.start_failed(now, id, message, effects);
    }

    /// A worker that was starting is gone.
    pub(super) fn exited_starting(
        &mut self,
        now: Time,
        id: WorkerId,
        stage: Stage,
        exit: &Exit,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let awaited = match stage {
            Stage::Spawning | Stage::Connecting => "Hello",
            Stage::Loading => "Ready",
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
        now: Time,
        id: WorkerId,
        message: String,
        effects: &mut Vec<Effect>,
    ) {
        if self.draining.is_some() || self.canary_failed(id, &message, effects) {
            return;
        }
        if self.workers.get(&id).is_some_and(|worker| worker.generation < self.generation) {
            return;
        }
        let retry_in = self.starts.failed(now, self.config.jitter_seed, id, &message);
        let consecutive = self.starts.consecutive;
        effects.push(Effect::StartFailed { worker: id, consecutive, message, retry_in });
    }
}
