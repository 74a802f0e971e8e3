//! What the pool looks like right now, for `status`, `top`, the dashboard, readiness and metrics.

use serde::Serialize;
use uuid::Uuid;

use super::event::WorkerId;
use super::isolation::{Isolation, WorkerBinding};
use super::machine::Pool;
use super::reload::ReloadState;
use super::templates::TemplateState;
use super::time::PoolTime;
use super::worker::{CapacityClass, PoolWorker, WorkerState};

/// What screens and metrics show of the pool at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolSnapshot {
    /// Every process of the pool, the oldest first.
    pub workers: Vec<WorkerSnapshot>,
    /// Workers that are not Ready yet.
    pub starting: usize,
    /// Workers that wait for a run.
    pub idle: usize,
    /// Workers that have a run and are not on their way out.
    pub busy: usize,
    /// Workers on their way out, some of them with a run that is being ended.
    pub leaving: usize,
    /// Executions that were given to a worker and have not finished.
    pub running: usize,
    /// Executions that wait for a worker.
    pub waiting: usize,
    /// How long the oldest of them has waited.
    pub oldest_wait_ms: u64,
    /// Executions that may still be claimed.
    pub free_slots: usize,
    /// The number of workers kept warm.
    pub min_workers: usize,
    /// The most executions that run at once.
    pub max_workers: usize,
    /// Which executions may share a worker.
    pub isolation: Isolation,
    /// Whether workers start as they should.
    pub starts: StartsSnapshot,
    /// The generation that new workers are started in.
    pub generation: u64,
    /// How far a reload has come.
    pub reload: ReloadSnapshot,
    /// What workers of the generation that serves are made of.
    pub template: TemplateSnapshot,
    /// The pool takes no more work.
    pub draining: bool,
    /// Frames that came for runs that had ended, since the pool was made.
    pub stale_frames: u64,
}

/// What screens show of one process at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerSnapshot {
    /// The number of the worker in this supervisor, never used again.
    pub worker: WorkerId,
    /// Its process, once there is one.
    pub pid: Option<u32>,
    /// The generation it was started in: a build and its settings.
    pub generation: u64,
    /// `starting`, `idle`, `sent`, `running`, `finished`, `cancelling`, `departing`, `terminating`, `killed`
    /// or `leaving`; `awaiting_template` while its template loads; `template_starting` or `template` for one that makes workers and is none.
    pub state: &'static str,
    /// It makes workers, or was to, and is none.
    pub is_template: bool,
    /// How long it has been in that state.
    pub since_ms: u64,
    /// How long ago it was spawned.
    pub age_ms: u64,
    /// The execution it runs; `None` when it has none.
    pub execution_id: Option<Uuid>,
    /// The number of the attempt it runs, counted from 1; `None` when it has none.
    pub attempt: Option<u32>,
    /// How many runs have ended in this process.
    pub executions_done: u64,
    /// For whom it may be used when it is free; `None` when it may not be used again.
    pub binding: Option<WorkerBinding>,
    /// What it held when it was last measured, with all it started where there is a limit; 0 is unknown.
    pub rss_bytes: u64,
    /// Why it is to be replaced, if it is.
    pub due: Option<&'static str>,
}

/// How the starts of workers go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StartsSnapshot {
    /// How many in a row; 0 means that all is well.
    pub consecutive_failures: u32,
    /// What was wrong the last time, also when it is over.
    pub last_message: Option<String>,
    /// The time until the next start is tried; `None` when no failed start is waited for.
    pub next_try_ms: Option<u64>,
    /// True when a batch has given up on starting workers.
    pub gave_up: bool,
}

/// Whether workers are made of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TemplateSnapshot {
    /// The setting is off, or no process has been started yet.
    #[default]
    None,
    /// These workers have none: each starts by itself.
    Absent,
    /// It loads; workers wait for it.
    Starting {
        /// The process that becomes the template.
        worker: WorkerId,
    },
    /// Workers are made of the template.
    Standing {
        /// The process that makes them.
        worker: WorkerId,
        /// Another one starts, because files have changed.
        is_replaced: bool,
    },
    /// The template failed, and workers are started without one.
    Broken {
        /// What went wrong, for a person.
        message: String,
        /// The time until another template is started.
        retry_in_ms: u64,
    },
}

/// How far the last reload has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReloadSnapshot {
    /// No reload is under way.
    #[default]
    Settled,
    /// The first worker of the new generation is about to be started.
    Wanted {
        /// The generation that is to serve.
        generation: u64,
    },
    /// The first worker of the new generation starts.
    Canary {
        /// The worker with which the new generation is tried.
        worker: WorkerId,
        /// The generation that is tried.
        generation: u64,
    },
    /// The others are replaced one by one.
    Rolling,
    /// The new generation could not start; the old one serves on.
    Failed {
        /// The generation that was given up.
        generation: u64,
        /// What went wrong, for a person.
        message: String,
    },
}

impl Pool {
    /// Describes the pool as it is at `now`.
    pub fn snapshot(&self, now: PoolTime) -> PoolSnapshot {
        let leaving = self
            .workers
            .values()
            .filter(|worker| worker.capacity_class() == CapacityClass::Terminating)
            .count();
        PoolSnapshot {
            workers: self
                .workers
                .values()
                .map(|worker| worker.snapshot(now, self.config.isolation))
                .collect(),
            starting: self.counts.starting,
            idle: self.counts.idle,
            busy: self.counts.busy + self.counts.last_run,
            leaving,
            running: self.queue.running(),
            waiting: self.queue.waiting(),
            oldest_wait_ms: self.queue.oldest().map_or(0, |oldest| millis(now, oldest.queued_at)),
            free_slots: self.free_slots(),
            min_workers: self.config.min_workers,
            max_workers: self.config.max_workers,
            isolation: self.config.isolation,
            starts: StartsSnapshot {
                consecutive_failures: self.starts.consecutive,
                last_message: self.starts.last_message.clone(),
                next_try_ms: self.starts.next_try.map(|next_try| millis(next_try, now)),
                gave_up: self.starts.gave_up,
            },
            generation: self.generation,
            reload: match &self.reload {
                ReloadState::Settled => ReloadSnapshot::Settled,
                ReloadState::Wanted { generation } => ReloadSnapshot::Wanted { generation: *generation },
                ReloadState::Canary { worker, generation } => {
                    ReloadSnapshot::Canary { worker: *worker, generation: *generation }
                }
                ReloadState::Rolling => ReloadSnapshot::Rolling,
                ReloadState::Failed { generation, message } => {
                    ReloadSnapshot::Failed { generation: *generation, message: message.clone() }
                }
            },
            template: self.template_snapshot(now),
            draining: self.draining.is_some(),
            stale_frames: self.stale_frames,
        }
    }
}

impl Pool {
    fn template_snapshot(&self, now: PoolTime) -> TemplateSnapshot {
        let Some(template) = self.templates.get(&self.generation) else { return TemplateSnapshot::None };
        match template.state {
            TemplateState::Untried => TemplateSnapshot::None,
            TemplateState::Absent => TemplateSnapshot::Absent,
            TemplateState::Offered(worker) | TemplateState::Loading(worker) => {
                TemplateSnapshot::Starting { worker }
            }
            TemplateState::Standing(worker) => {
                TemplateSnapshot::Standing { worker, is_replaced: template.coming.is_some() }
            }
            TemplateState::Broken { retry_at } => TemplateSnapshot::Broken {
                message: template.last_message.clone().unwrap_or_default(),
                retry_in_ms: millis(retry_at, now),
            },
        }
    }
}

impl PoolWorker {
    fn snapshot(&self, now: PoolTime, isolation: Isolation) -> WorkerSnapshot {
        let attempt = match &self.state {
            WorkerState::Busy(run) => Some(run.assignment.attempt),
            WorkerState::Starting(_)
            | WorkerState::Idle { .. }
            | WorkerState::Template(_)
            | WorkerState::Leaving(_) => None,
        };
        WorkerSnapshot {
            worker: self.id,
            pid: self.pid,
            generation: self.generation,
            state: self.state_name(),
            is_template: self.features.template || self.capacity_class() == CapacityClass::Template,
            since_ms: millis(now, self.since),
            age_ms: millis(now, self.spawned_at),
            execution_id: attempt.map(|attempt| attempt.execution_id),
            attempt: attempt.map(|attempt| attempt.number),
            executions_done: self.executions_done,
            binding: isolation.binding(self.served),
            rss_bytes: self.rss_bytes,
            due: self.due.map(super::worker::RecycleReason::reason),
        }
    }
}

fn millis(later: PoolTime, earlier: PoolTime) -> u64 {
    u64::try_from(later.since(earlier).as_millis()).unwrap_or(u64::MAX)
}
