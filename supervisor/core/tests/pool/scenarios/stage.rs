//! What scenarios are played on: a pool, a clock that stands still until it is moved, and short words.

use std::time::Duration;

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::{
    Assignment, Pool, PoolConfig, PoolEffect, PoolEvent, PoolSnapshot, PoolTime, ProcessExit,
    ProtocolViolation, RunFinish, WorkerDeath, WorkerEvent, WorkerFeatures, WorkerId,
};
use muster_core::process::ExitStatus;
use muster_protocol::{CancelReason, ErrorInfo, JsonBytes, RunMetrics, RunOutcome};
use uuid::Uuid;

pub(crate) const ALL: WorkerFeatures = WorkerFeatures {
    log: true,
    progress: true,
    call: true,
    cancel: true,
    ping: true,
    drain: true,
    dump: true,
    template: false,
    describe: true,
};
pub(crate) const NONE: WorkerFeatures = WorkerFeatures {
    log: false,
    progress: false,
    call: false,
    cancel: false,
    ping: false,
    drain: false,
    dump: false,
    template: false,
    describe: false,
};

pub(crate) struct Stage {
    pub(crate) pool: Pool,
    pub(crate) now: PoolTime,
    effects: Vec<PoolEffect>,
    submitted: u128,
}

impl Stage {
    /// A pool that was started; its workers are spawned and nothing more.
    pub(crate) fn cold(change: impl FnOnce(&mut PoolConfig)) -> Self {
        let mut config = PoolConfig { min_workers: 1, max_workers: 4, ..PoolConfig::default() };
        change(&mut config);
        let mut stage = Self {
            pool: Pool::new(config, PoolTime::START),
            now: PoolTime::START,
            effects: Vec::new(),
            submitted: 0,
        };
        stage.pool.start(stage.now, &mut stage.effects);
        stage
    }

    /// A pool whose warm workers are Ready.
    pub(crate) fn warm(change: impl FnOnce(&mut PoolConfig)) -> Self {
        let mut stage = Self::cold(change);
        for worker in stage.spawns() {
            stage.becomes_ready(worker, ALL);
        }
        stage.effects.clear();
        stage
    }

    pub(crate) fn step(&mut self, event: PoolEvent) {
        self.pool.step(self.now, event, &mut self.effects);
    }

    pub(crate) fn says(&mut self, worker: WorkerId, event: WorkerEvent) {
        self.step(PoolEvent::Worker { worker, event });
    }

    /// Lets time pass, ticking at each deadline on the way.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let target = self.now + duration;
        while let Some(deadline) = self.pool.next_deadline().filter(|deadline| *deadline <= target) {
            self.now = deadline;
            self.step(PoolEvent::Tick);
        }
        self.now = target;
        self.step(PoolEvent::Tick);
    }

    /// Lets time pass without a tick, as for a shell that was stopped.
    pub(crate) fn stand_still(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    pub(crate) fn wait_ms(&mut self, milliseconds: u64) {
        self.wait(Duration::from_millis(milliseconds));
    }

    /// Everything wanted since this was last asked. What is told of deaths is not among it.
    pub(crate) fn effects(&mut self) -> Vec<PoolEffect> {
        let is_wanted = |effect: &PoolEffect| !matches!(effect, PoolEffect::WorkerDied(_));
        std::mem::take(&mut self.effects).into_iter().filter(is_wanted).collect()
    }

    /// What was told of the only death since effects were last asked for.
    pub(crate) fn death(&self) -> WorkerDeath {
        let died = |effect: &PoolEffect| {
            if let PoolEffect::WorkerDied(death) = effect { Some(WorkerDeath::clone(death)) } else { None }
        };
        let mut deaths: Vec<_> = self.effects.iter().filter_map(died).collect();
        assert_eq!(deaths.len(), 1, "{deaths:?}");
        deaths.remove(0)
    }

    pub(crate) fn spawns(&mut self) -> Vec<WorkerId> {
        self.effects().iter().filter_map(spawned).collect()
    }

    pub(crate) fn becomes_ready(&mut self, worker: WorkerId, features: WorkerFeatures) {
        self.says(worker, WorkerEvent::Spawned { pid: 100 });
        self.says(worker, WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features });
        self.says(worker, WorkerEvent::Ready);
    }

    pub(crate) fn submit(&mut self) -> Attempt {
        self.submit_with(None)
    }

    pub(crate) fn submit_with(&mut self, timeout: Option<Duration>) -> Attempt {
        self.submit_assignment(None, timeout, false)
    }

    /// Submits an attempt of the organization of this number; 0 is none.
    pub(crate) fn submit_for(&mut self, organization: u128) -> Attempt {
        let organization_id = Some(organization).filter(|id| *id > 0).map(Uuid::from_u128);
        self.submit_assignment(organization_id, None, false)
    }

    /// Submits an attempt that nothing follows if it fails.
    pub(crate) fn submit_halting(&mut self) -> Attempt {
        self.submit_assignment(None, None, true)
    }

    fn submit_assignment(
        &mut self,
        organization_id: Option<Uuid>,
        timeout: Option<Duration>,
        halts: bool,
    ) -> Attempt {
        self.submitted += 1;
        let attempt = Attempt::new(Uuid::from_u128(self.submitted), 1);
        self.step(PoolEvent::Submit(Assignment { attempt, organization_id, timeout, halts }));
        attempt
    }

    pub(crate) fn cancel(&mut self, attempt: Attempt, reason: CancelReason) {
        self.step(PoolEvent::Cancel { attempt, reason, message: "because".to_owned() });
    }

    /// Runs one attempt of the organization of this number to its end, and gives the worker that had it.
    pub(crate) fn serves(&mut self, organization: u128) -> WorkerId {
        self.submit_for(organization);
        let (worker, run) = self.execute();
        self.says(worker, WorkerEvent::Started { run });
        self.succeeds(worker, run);
        worker
    }

    /// The worker and the run number of the only Execute since this was last asked.
    pub(crate) fn execute(&mut self) -> (WorkerId, u32) {
        let executes = self.executes();
        assert_eq!(executes.len(), 1, "{executes:?}");
        (executes[0].0, executes[0].1)
    }

    pub(crate) fn executes(&mut self) -> Vec<(WorkerId, u32, Attempt)> {
        self.effects().iter().filter_map(executed).collect()
    }

    /// Submits, and gives the worker and the run number it went to, after Started.
    pub(crate) fn running(&mut self, timeout: Option<Duration>) -> (Attempt, WorkerId, u32) {
        let attempt = self.submit_with(timeout);
        let (worker, run) = self.execute();
        self.says(worker, WorkerEvent::Started { run });
        self.effects.clear();
        (attempt, worker, run)
    }

    pub(crate) fn finished(&mut self, worker: WorkerId, run: u32, outcome: RunOutcome) {
        self.says(worker, WorkerEvent::Finished { run, outcome, metrics: RunMetrics::default() });
    }

    pub(crate) fn idle(&mut self, worker: WorkerId, run: u32) {
        self.says(worker, WorkerEvent::Idle { run, rss_bytes: 1_000, recycle: false });
    }

    pub(crate) fn succeeds(&mut self, worker: WorkerId, run: u32) {
        self.finished(worker, run, success());
        self.idle(worker, run);
    }

    pub(crate) fn exits(&mut self, worker: WorkerId, status: ExitStatus) {
        self.says(worker, WorkerEvent::Exited(ProcessExit::new(status, Vec::new())));
    }

    pub(crate) fn pollutes(&mut self, worker: WorkerId) {
        let message = "hello world".to_owned();
        self.says(worker, WorkerEvent::Violation(ProtocolViolation::Polluted { message }));
    }

    /// The only Finish since this was last asked.
    pub(crate) fn finish(&mut self) -> RunFinish {
        let mut finishes = self.finishes();
        assert_eq!(finishes.len(), 1, "{finishes:?}");
        finishes.remove(0)
    }

    pub(crate) fn ending(&mut self) -> RunEnding {
        self.finish().ending
    }

    pub(crate) fn finishes(&mut self) -> Vec<RunFinish> {
        let finish = |effect| if let PoolEffect::Finish(finish) = effect { Some(finish) } else { None };
        self.effects().into_iter().filter_map(finish).collect()
    }

    pub(crate) fn snapshot(&self) -> PoolSnapshot {
        self.pool.snapshot(self.now)
    }

    /// The word for a worker's state; `gone` if there is none.
    pub(crate) fn state(&self, worker: WorkerId) -> &'static str {
        self.snapshot().workers.iter().find(|one| one.worker == worker).map_or("gone", |one| one.state)
    }
}

/// The worker an effect starts.
pub(crate) fn spawned(effect: &PoolEffect) -> Option<WorkerId> {
    if let PoolEffect::Spawn { worker, .. } = effect { Some(*worker) } else { None }
}

/// The workers that effects ask to leave.
pub(crate) fn retired(effects: &[PoolEffect]) -> Vec<WorkerId> {
    let retired = |effect: &PoolEffect| {
        if let PoolEffect::Retire { worker, .. } = effect { Some(*worker) } else { None }
    };
    effects.iter().filter_map(retired).collect()
}

/// The run an effect begins.
pub(crate) fn executed(effect: &PoolEffect) -> Option<(WorkerId, u32, Attempt)> {
    if let PoolEffect::Execute { worker, run, attempt, .. } = effect {
        Some((*worker, *run, *attempt))
    } else {
        None
    }
}

pub(crate) fn success() -> RunOutcome {
    RunOutcome::Succeeded { result: JsonBytes::from(b"42".to_vec()) }
}

pub(crate) fn succeeded() -> RunEnding {
    RunEnding::Succeeded { result: JsonBytes::from(b"42".to_vec()) }
}

pub(crate) fn failure(kind: &str) -> RunOutcome {
    RunOutcome::Failed { error: ErrorInfo::new(kind, "no") }
}

pub(crate) fn cancelled() -> RunOutcome {
    RunOutcome::Cancelled { message: "stopped".to_owned() }
}

/// The final error type and message of an ending that is a failure.
pub(crate) fn error(ending: &RunEnding) -> (&str, &str) {
    match ending {
        RunEnding::Failed { error } => (&error.kind, &error.message),
        RunEnding::Succeeded { .. }
        | RunEnding::TimedOut { .. }
        | RunEnding::Cancelled { .. }
        | RunEnding::Released { .. }
        | RunEnding::Superseded => panic!("not a failure: {ending:?}"),
    }
}

pub(crate) fn is_released(ending: &RunEnding) -> bool {
    matches!(ending, RunEnding::Released { charged: false, .. })
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
