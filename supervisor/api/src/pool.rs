//! What is shown of the pool, and how it is told to change.

use jiff::Timestamp;
use muster_core::pool::{Isolation, PoolSnapshot, ReloadSnapshot};
use muster_system::process::Wall;
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::pauses::PauseView;
use super::schema::wall_names;
use super::template::TemplateView;
use super::worker::WorkerView;

/// What the pool and its workers are doing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Pool)]
pub struct PoolView {
    /// The id of the supervisor, made anew at each start.
    pub supervisor: Uuid,
    /// The version of the supervisor.
    pub version: String,
    /// When the supervisor started.
    pub started_at: Timestamp,
    /// True once it takes no more work.
    pub draining: bool,
    /// The number of workers kept warm.
    pub min_workers: usize,
    /// The most executions that run at once.
    pub max_workers: usize,
    /// Which executions may share a worker.
    #[serde(default)]
    #[schema(schema_with = IsolationView::schema)]
    pub isolation: IsolationView,
    /// Which build and settings serve: rises with every reload.
    pub generation: u64,
    /// The number of executions that workers hold.
    pub running: usize,
    /// Claimed executions that wait for a worker.
    pub waiting: usize,
    /// How long the oldest of them has waited, in seconds.
    pub oldest_wait_seconds: f64,
    /// What is paused: nothing of it starts.
    #[serde(default)]
    pub pauses: Vec<PauseView>,
    /// Rows that wait to be claimed; `None` while the store is out of reach.
    pub pending: Option<u64>,
    /// What waits in RabbitMQ; `None` without it.
    #[serde(default)]
    pub broker: Option<BrokerView>,
    /// What waits in each queue: those that are served, and those of others that have something.
    #[serde(default)]
    pub queues: Vec<QueueView>,
    /// What is wrong with starting workers, if anything.
    pub problem: Option<String>,
    /// How far the last reload has come.
    #[schema(schema_with = ReloadView::schema)]
    pub reload: ReloadView,
    /// Settings that were changed by a reload and count from the next start on only.
    #[serde(default)]
    pub next_start: Vec<String>,
    /// What the workers of the generation that serves are made of.
    #[serde(default)]
    pub template: TemplateView,
    /// What keeps workers away from the supervisor's secrets.
    #[serde(default)]
    pub walls: Vec<WallView>,
    /// Every worker there is, oldest first.
    pub workers: Vec<WorkerView>,
}

/// What waits in a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// The name of the queue; the empty text for rows without one, which every supervisor serves.
    pub queue: String,
    /// True when this supervisor serves it.
    pub is_served: bool,
    /// The number of rows that wait; a hundred thousand in all queues may be more.
    pub waiting: u64,
    /// How long the next of those that wait for nothing but a worker has waited since its moment, in seconds.
    pub oldest_wait_seconds: f64,
}

/// What waits in RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Broker)]
pub struct BrokerView {
    /// Each queue that is consumed.
    pub queues: Vec<BrokerQueueView>,
}

/// What waits in a queue of RabbitMQ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BrokerQueue)]
pub struct BrokerQueueView {
    /// The name of the queue.
    pub queue: String,
    /// Messages that were delivered to no supervisor yet; `None` while the broker does not tell.
    pub ready: Option<u32>,
    /// The number of dead letters; `None` while the broker does not tell.
    pub dead: Option<u32>,
}

impl BrokerView {
    /// What is said of it on screens: a number, and of what.
    pub fn counts(&self) -> Vec<(String, &'static str)> {
        let sum = |one: fn(&BrokerQueueView) -> Option<u32>| {
            self.queues.iter().map(|queue| one(queue).map(u64::from)).sum::<Option<u64>>()
        };
        let ready = sum(|queue| queue.ready).map_or_else(|| "?".to_owned(), |ready| ready.to_string());
        let dead = sum(|queue| queue.dead).filter(|dead| *dead > 0);
        let mut counts = vec![(ready, "in RabbitMQ")];
        counts.extend(dead.map(|dead| (dead.to_string(), "dead letters")));
        counts
    }
}

/// Which executions may share a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IsolationView {
    /// Executions of all organizations may share a worker.
    #[default]
    None,
    /// Only executions of one organization share a worker.
    Organization,
    /// None: each has a process of its own.
    Execution,
}

impl IsolationView {
    fn of(isolation: Isolation) -> Self {
        match isolation {
            Isolation::None => Self::None,
            Isolation::Organization => Self::Organization,
            Isolation::Execution => Self::Execution,
        }
    }

    /// What is said of workers on screens, after their number.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Organization => " for one organization each",
            Self::Execution => " for one execution each",
        }
    }
}

/// How far the last reload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReloadView {
    /// All workers are of one generation.
    Settled,
    /// It is asked for, and begins as soon as there is room.
    Wanted,
    /// The first worker of the new generation starts.
    Canary,
    /// The others are replaced, one after another.
    Rolling,
    /// The first worker of the new generation could not start.
    Failed,
}

/// Something that keeps others away from the supervisor's secrets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Wall)]
pub struct WallView {
    /// The name of the wall, as `doctor` shows it too.
    #[schema(schema_with = wall_names)]
    pub wall: String,
    /// True when the wall is in force.
    pub stands: bool,
    /// Whether the settings ask for it.
    #[serde(default = "yes")]
    pub asked: bool,
    /// What it keeps from whom, or why it does not hold.
    pub detail: String,
}

/// Supervisors that do not tell had no walls but those that were asked for.
fn yes() -> bool {
    true
}

impl WallView {
    fn of(wall: Wall) -> Self {
        Self { wall: wall.name.to_owned(), stands: wall.stands, asked: wall.asked, detail: wall.detail }
    }
}

impl PoolView {
    /// The view of a pool of the supervisor that booted as `supervisor` at `started_at`.
    pub fn of(
        pool: &PoolSnapshot,
        supervisor: Uuid,
        started_at: Timestamp,
        pending: Option<u64>,
        walls: Vec<Wall>,
    ) -> Self {
        Self {
            supervisor,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at,
            draining: pool.draining,
            min_workers: pool.min_workers,
            max_workers: pool.max_workers,
            isolation: IsolationView::of(pool.isolation),
            generation: pool.generation,
            running: pool.running,
            waiting: pool.waiting,
            oldest_wait_seconds: seconds(pool.oldest_wait_ms),
            pauses: Vec::new(),
            pending,
            broker: None,
            queues: Vec::new(),
            problem: problem(pool),
            reload: match pool.reload {
                ReloadSnapshot::Settled => ReloadView::Settled,
                ReloadSnapshot::Wanted { .. } => ReloadView::Wanted,
                ReloadSnapshot::Canary { .. } => ReloadView::Canary,
                ReloadSnapshot::Rolling => ReloadView::Rolling,
                ReloadSnapshot::Failed { .. } => ReloadView::Failed,
            },
            next_start: Vec::new(),
            template: TemplateView::of(pool),
            walls: walls.into_iter().map(WallView::of).collect(),
            workers: pool.workers.iter().filter(|one| !one.is_template).map(WorkerView::of).collect(),
        }
    }
}

/// What is wrong with starting workers.
fn problem(pool: &PoolSnapshot) -> Option<String> {
    if let ReloadSnapshot::Failed { generation, message } = &pool.reload {
        let serving = pool.generation;
        return Some(format!(
            "workers of generation {generation} cannot start, {serving} serves on: {message}"
        ));
    }
    let failures = pool.starts.consecutive_failures;
    if failures == 0 {
        return None;
    }
    let message = pool.starts.last_message.as_deref().unwrap_or("no reason is known");
    let next = match pool.starts.next_try_ms {
        Some(ms) => format!("; next try in {:.1} s", seconds(ms)),
        None => String::new(),
    };
    Some(format!("workers cannot start ({failures} in a row): {message}{next}"))
}

pub(super) fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

/// The new bounds of a pool.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Resize)]
pub struct ResizeRequest {
    /// The number of workers kept warm.
    #[schema(minimum = 1)]
    pub min_workers: usize,
    /// The most executions that run at once.
    #[schema(maximum = 10_000)]
    pub max_workers: usize,
}

/// Which workers are to be replaced.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Recycle)]
pub struct RecycleRequest {
    /// The worker to replace, `worker-3` or `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worker: Option<String>,
    /// All of them, one after another.
    #[serde(default)]
    pub all: bool,
}
