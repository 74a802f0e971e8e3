//! What the supervisor counts and measures, in the text format of Prometheus.
//!
//! Counters and histograms are fed as things happen; gauges are filled from the state of the moment when
//! somebody asks, so they cannot drift.

mod http;
mod labels;
mod plain;
mod process;
mod registered;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use muster_bus::BusHealth;
use muster_core::execution::{EndKind, Status};
use muster_core::invariant::violations;
use muster_store::LimitUse;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use uuid::Uuid;

use self::http::RequestMetrics;
use self::labels::{
    BuildLabel, CauseLabel, InvariantLabel, LimitLabel, OrganizationLabel, OriginLabel, PartLabel,
    QueueLabel, QueueLabels, StateLabel, StatusLabel, WorkflowLabels,
};
pub(crate) use self::plain::plain;
use self::process::ProcessMetrics;
use super::history::OutcomeHistory;
use crate::api::{OutcomeCounts, PoolView, Readiness};
use crate::executor::WorkerOrigin;
use crate::figures::NotedFigures;

/// Seconds, from a warm round trip to the longest runs.
const RUN_BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
/// Seconds, for what should be short.
const WAIT_BUCKETS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0];
/// So many workflows have series of their own.
const WORKFLOWS_MAX: usize = 200;
/// So many limits have series of their own, the first by name.
const LIMITS_MAX: usize = 200;
/// So many organizations have series of their own, the first that had worker time.
const ORGANIZATIONS_MAX: usize = 200;
/// What all others are counted as. No workflow and no organization is called so.
const OTHERS: &str = "(others)";
/// What executions without an organization are counted as.
const NO_ORGANIZATION: &str = "(none)";
/// Seconds, from a fork to a worker that loads much.
const START_BUCKETS: [f64; 11] = [0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.2, 1.0, 5.0, 30.0];
/// Outcomes in one commit.
const GROUP_BUCKETS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// A gauge of a number that is no whole one.
type Real = Gauge<f64, AtomicU64>;
/// A counter of the same.
type RealCounter = Counter<f64, AtomicU64>;

/// What the database has not taken, and how long ago it answered last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwritten {
    /// The age of its last answer.
    pub store_answer_age: Duration,
    /// The number of outcomes that the store refuses.
    pub refused: usize,
    /// Outcomes that are not even on disk.
    pub in_memory: usize,
    /// The number of messages that became dead letters since the start.
    pub dead_letters: u64,
}

/// Everything that is measured. Shared by reference; every method may be called from anywhere.
#[derive(Debug)]
pub struct SupervisorMetrics {
    registry: Registry,
    process: ProcessMetrics,
    requests: RequestMetrics,
    noted: Mutex<NotedFigures>,
    history: OutcomeHistory,
    build: Family<BuildLabel, Gauge>,
    finished: Family<StatusLabel, Counter>,
    finished_by_workflow: Family<WorkflowLabels, Counter>,
    workflows: Mutex<HashSet<String>>,
    dead_letters: Counter,
    pruned: Counter,
    traces_sent: Counter,
    traces_dropped: Counter,
    log_lines_dropped: Counter,
    requeued: Counter,
    superseded: Counter,
    worker_deaths: Family<CauseLabel, Counter>,
    run_seconds: Histogram,
    start_wait_seconds: Histogram,
    worker_start_seconds: Family<OriginLabel, Histogram>,
    template_failures: Counter,
    commit_seconds: Histogram,
    commit_outcomes: Histogram,
    workers: Family<StateLabel, Gauge>,
    workers_min: Gauge,
    workers_max: Gauge,
    running: Gauge,
    waiting: Gauge,
    oldest_wait_seconds: Real,
    pending: Gauge,
    broker_messages: Family<QueueLabels, Gauge>,
    limit_running: Family<LimitLabel, Gauge>,
    limit_waiting: Family<LimitLabel, Gauge>,
    queue_waiting: Family<QueueLabel, Gauge>,
    queue_oldest_wait_seconds: Family<QueueLabel, Real>,
    share_worker_seconds: Family<OrganizationLabel, RealCounter>,
    organizations: Mutex<HashSet<Uuid>>,
    draining: Gauge,
    ready: Family<PartLabel, Gauge>,
    store_answer_age_seconds: Real,
    outcomes_refused: Gauge,
    outcomes_in_memory: Gauge,
    live_writes_queued_bytes: Gauge,
    live_writes_dropped: Gauge,
    invariant_violations: Family<InvariantLabel, Counter>,
}

impl Default for SupervisorMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl SupervisorMetrics {
    /// Makes metrics that have measured nothing yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("muster");
        let requests = RequestMetrics::registered_in(&mut registry);
        let mut metrics = Self {
            registry,
            process: ProcessMetrics::new(),
            requests,
            noted: Mutex::default(),
            history: OutcomeHistory::default(),
            build: Family::default(),
            finished: Family::default(),
            finished_by_workflow: Family::default(),
            workflows: Mutex::default(),
            dead_letters: Counter::default(),
            pruned: Counter::default(),
            traces_sent: Counter::default(),
            traces_dropped: Counter::default(),
            log_lines_dropped: Counter::default(),
            requeued: Counter::default(),
            superseded: Counter::default(),
            worker_deaths: Family::default(),
            run_seconds: Histogram::new(RUN_BUCKETS),
            start_wait_seconds: Histogram::new(WAIT_BUCKETS),
            worker_start_seconds: Family::new_with_constructor(|| Histogram::new(START_BUCKETS)),
            template_failures: Counter::default(),
            commit_seconds: Histogram::new(WAIT_BUCKETS),
            commit_outcomes: Histogram::new(GROUP_BUCKETS),
            workers: Family::default(),
            workers_min: Gauge::default(),
            workers_max: Gauge::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            oldest_wait_seconds: Real::default(),
            pending: Gauge::default(),
            broker_messages: Family::default(),
            limit_running: Family::default(),
            limit_waiting: Family::default(),
            queue_waiting: Family::default(),
            queue_oldest_wait_seconds: Family::default(),
            share_worker_seconds: Family::default(),
            organizations: Mutex::default(),
            draining: Gauge::default(),
            ready: Family::default(),
            store_answer_age_seconds: Real::default(),
            outcomes_refused: Gauge::default(),
            outcomes_in_memory: Gauge::default(),
            live_writes_queued_bytes: Gauge::default(),
            live_writes_dropped: Gauge::default(),
            invariant_violations: Family::default(),
        };
        for status in [Status::Success, Status::Failed, Status::Timeout, Status::Cancelled] {
            // A series that is there from the start makes the first failure an increase.
            let _ = metrics.finished.get_or_create(&StatusLabel { status: status.as_str() });
        }
        metrics.build.get_or_create(&BuildLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        for origin in WorkerOrigin::ALL {
            let _ = metrics.worker_start_seconds.get_or_create(&OriginLabel { origin: origin.name() });
        }
        for cause in EndKind::WORDS {
            let _ = metrics.worker_deaths.get_or_create(&CauseLabel { cause });
        }
        metrics.register_events();
        metrics.register_gauges();
        metrics
    }

    /// How executions ended here in the last quarter of an hour, and in the last day.
    pub fn outcomes_lately(&self) -> (OutcomeCounts, OutcomeCounts) {
        let now = Instant::now();
        (self.history.within(now, 15), self.history.within(now, 24 * 60))
    }

    /// An execution of this workflow reached this terminal state, with this error, after running so long.
    pub fn finished(&self, workflow: &str, status: Status, error_type: Option<&str>, ran: Option<Duration>) {
        self.history.note(Instant::now(), workflow, status, error_type);
        self.noted().ended(status, ran);
        let workflow = self.series_of(workflow);
        self.finished_by_workflow.get_or_create(&WorkflowLabels { workflow, status: status.as_str() }).inc();
        self.finished.get_or_create(&StatusLabel { status: status.as_str() }).inc();
        if let Some(ran) = ran {
            self.run_seconds.observe(ran.as_secs_f64());
        }
    }

    /// The name under which a workflow is counted. Requests name workflows as they like, and each name is a series for
    /// ever, so those beyond the first so many are counted together.
    fn series_of(&self, workflow: &str) -> String {
        let mut known = self.workflows.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(workflow) && known.len() >= WORKFLOWS_MAX {
            return OTHERS.to_owned();
        }
        known.insert(workflow.to_owned());
        workflow.to_owned()
    }

    /// Runs of this organization had workers for so long.
    pub fn worked(&self, organization_id: Option<Uuid>, worked: Duration) {
        let noted = organization_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
        self.noted().worked(noted, worked);
        let organization = organization_id.map_or_else(|| NO_ORGANIZATION.to_owned(), |id| self.share_of(id));
        self.share_worker_seconds
            .get_or_create(&OrganizationLabel { organization })
            .inc_by(worked.as_secs_f64());
    }

    /// How the pool is at this moment, for charts of what was at its highest.
    pub(crate) fn saw(&self, pool: &PoolView) {
        self.noted().saw(pool);
    }

    /// What there was since the last call, for charts.
    pub(crate) fn take_noted(&self) -> NotedFigures {
        std::mem::take(&mut *self.noted())
    }

    fn noted(&self) -> MutexGuard<'_, NotedFigures> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name under which an organization is counted: there may be any number of them.
    fn share_of(&self, id: Uuid) -> String {
        let mut known = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&id) && known.len() >= ORGANIZATIONS_MAX {
            return OTHERS.to_owned();
        }
        known.insert(id);
        id.to_string()
    }

    /// An attempt went back to be claimed again.
    pub fn requeued(&self) {
        self.requeued.inc();
    }

    /// So many executions that ended long ago were removed.
    pub fn pruned(&self, executions: u64) {
        self.pruned.inc_by(executions);
    }

    /// The collector has taken the traces of so many executions.
    pub fn traces_sent(&self, executions: usize) {
        self.traces_sent.inc_by(u64::try_from(executions).unwrap_or(u64::MAX));
    }

    /// The traces of so many executions were left out.
    pub fn traces_dropped(&self, executions: usize) {
        self.traces_dropped.inc_by(u64::try_from(executions).unwrap_or(u64::MAX));
    }

    /// So many lines of the supervisor's own log were dropped in all.
    pub fn log_lines_dropped(&self, total: u64) {
        self.log_lines_dropped.inc_by(total.saturating_sub(self.log_lines_dropped.get()));
    }

    /// An attempt turned out to be somebody else's.
    pub fn superseded(&self) {
        self.superseded.inc();
    }

    /// A worker ended that was not meant to.
    pub fn worker_died(&self, kind: EndKind) {
        self.worker_deaths.get_or_create(&CauseLabel { cause: kind.word() }).inc();
    }

    /// An attempt entered user code so long after its claim.
    pub fn started(&self, waited: Duration) {
        self.noted().waited.add(waited);
        self.start_wait_seconds.observe(waited.as_secs_f64());
    }

    /// A worker is Ready, so long after it was asked for.
    pub fn worker_ready(&self, origin: WorkerOrigin, took: Duration) {
        let label = OriginLabel { origin: origin.name() };
        self.worker_start_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// A template failed.
    pub fn template_failed(&self) {
        self.template_failures.inc();
    }

    /// A finalization commit of so many outcomes took so long.
    pub fn committed(&self, outcomes: usize, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.commit_outcomes.observe(f64::from(u32::try_from(outcomes).unwrap_or(u32::MAX)));
    }

    /// A request over HTTP was answered: at the path of an endpoint, or at none, after so long.
    pub fn answered(&self, method: &str, route: Option<&str>, status: u16, took: Duration) {
        self.requests.answered(method, route, status, took);
    }

    /// How full the limits are.
    pub fn note_limits(&self, limits: &[LimitUse]) {
        self.limit_running.clear();
        self.limit_waiting.clear();
        for limit in limits.iter().take(LIMITS_MAX) {
            let label = LimitLabel { limit: limit.name.clone() };
            let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
            self.limit_running.get_or_create(&label).set(number(limit.running));
            self.limit_waiting.get_or_create(&label).set(number(limit.waiting));
        }
    }

    /// Everything as text, gauges as they are now.
    pub fn encode(
        &self,
        pool: &PoolView,
        readiness: &Readiness,
        bus: &BusHealth,
        outcomes: Unwritten,
    ) -> String {
        self.fill(pool, readiness, bus);
        self.store_answer_age_seconds.set(outcomes.store_answer_age.as_secs_f64());
        self.outcomes_refused.set(count(outcomes.refused));
        self.outcomes_in_memory.set(count(outcomes.in_memory));
        self.dead_letters.inc_by(outcomes.dead_letters.saturating_sub(self.dead_letters.get()));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode_registry(&mut text, self.process.now());
        let _ = encode_eof(&mut text);
        text
    }

    fn fill(&self, pool: &PoolView, readiness: &Readiness, bus: &BusHealth) {
        self.workers.clear();
        for worker in &pool.workers {
            self.workers.get_or_create(&StateLabel { state: worker.state.clone() }).inc();
        }
        self.workers_min.set(count(pool.min_workers));
        self.workers_max.set(count(pool.max_workers));
        self.running.set(count(pool.running));
        self.waiting.set(count(pool.waiting));
        self.oldest_wait_seconds.set(pool.oldest_wait_seconds);
        self.pending.set(pool.pending.map_or(-1, |pending| i64::try_from(pending).unwrap_or(i64::MAX)));
        self.broker_messages.clear();
        for queue in pool.broker.iter().flat_map(|broker| &broker.queues) {
            for (state, messages) in [("ready", queue.ready), ("dead", queue.dead)] {
                if let Some(messages) = messages {
                    let label = QueueLabels { queue: queue.queue.clone(), state };
                    self.broker_messages.get_or_create(&label).set(i64::from(messages));
                }
            }
        }
        self.queue_waiting.clear();
        self.queue_oldest_wait_seconds.clear();
        for queue in &pool.queues {
            let label = QueueLabel { queue: queue.queue.clone() };
            let waiting = i64::try_from(queue.waiting).unwrap_or(i64::MAX);
            self.queue_waiting.get_or_create(&label).set(waiting);
            self.queue_oldest_wait_seconds.get_or_create(&label).set(queue.oldest_wait_seconds);
        }
        self.draining.set(i64::from(pool.draining));
        for part in &readiness.parts {
            self.ready.get_or_create(&PartLabel { part: part.part.clone() }).set(i64::from(part.ready));
        }
        self.live_writes_queued_bytes.set(count(bus.queued_bytes));
        self.live_writes_dropped.set(i64::try_from(bus.dropped).unwrap_or(i64::MAX));
        for id in watched::ids() {
            let counter = self.invariant_violations.get_or_create(&InvariantLabel { id });
            counter.inc_by(violations(id).saturating_sub(counter.get()));
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
