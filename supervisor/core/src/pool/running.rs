//! From Execute to Idle: the frames of a run.

use muster_protocol::{RunMetrics, RunOutcome};

use super::config::IDLE_TIMEOUT;
use super::effect::{KillCause, PoolEffect};
use super::event::{Assignment, ProtocolViolation, WorkerId};
use super::machine::Pool;
use super::run::{FinishedReport, RunPhase, StopCause};
use super::time::PoolTime;
use super::worker::{PoolWorker, RecycleReason, WorkerState};

/// What a frame about a run is about.
enum FrameSubject {
    /// The run the worker has.
    Current,
    /// A run that has ended.
    Ended,
    /// A run it was never given.
    Unheard,
    /// It is not even Ready.
    Unready,
}

impl PoolWorker {
    fn concern(&self, run_number: u32) -> FrameSubject {
        match &self.state {
            WorkerState::Starting(_) | WorkerState::Template(_) => FrameSubject::Unready,
            WorkerState::Idle { .. } if run_number > self.runs => FrameSubject::Unheard,
            WorkerState::Idle { .. } | WorkerState::Leaving(_) => FrameSubject::Ended,
            WorkerState::Busy(run) => match run_number.cmp(&run.number) {
                std::cmp::Ordering::Less => FrameSubject::Ended,
                std::cmp::Ordering::Equal => FrameSubject::Current,
                std::cmp::Ordering::Greater => FrameSubject::Unheard,
            },
        }
    }
}

impl Pool {
    /// What is known better of the attempt a worker has than when it was submitted. Its time counts from Started, so
    /// this is for before.
    pub fn refine(&mut self, id: WorkerId, assignment: Assignment) {
        self.alter(id, |worker, _| {
            let WorkerState::Busy(run) = &mut worker.state else { return };
            if run.assignment.attempt == assignment.attempt && run.started_at.is_none() {
                run.assignment = assignment;
            }
        });
    }

    pub(super) fn run_started(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        number: u32,
        effects: &mut Vec<PoolEffect>,
    ) {
        if !self.is_about_current(now, id, number, "Started", effects) {
            return;
        }
        let broken = self.alter(id, |worker, timers| {
            let WorkerState::Busy(run) = &mut worker.state else { return None };
            if run.finished.is_some() {
                return Some("Started after Finished");
            }
            if run.started_at.is_some() {
                return Some("a second Started");
            }
            run.started_at = Some(now);
            effects.push(PoolEffect::Started { attempt: run.assignment.attempt, worker: id });
            match run.phase {
                RunPhase::Sent => {
                    run.phase = RunPhase::Started;
                    let deadline = run.assignment.timeout.map(|timeout| now + timeout);
                    worker.since = now;
                    worker.set_deadline(timers, deadline);
                    None
                }
                RunPhase::Departing => Some("Started after Goodbye"),
                RunPhase::Started
                | RunPhase::Finished
                | RunPhase::Cancelling { .. }
                | RunPhase::Terminating
                | RunPhase::Killing => None,
            }
        });
        if let Some(Some(message)) = broken {
            self.broken(now, id, message.to_owned(), effects);
        }
    }

    pub(super) fn run_finished(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        number: u32,
        outcome: RunOutcome,
        metrics: RunMetrics,
        effects: &mut Vec<PoolEffect>,
    ) {
        if !self.is_about_current(now, id, number, "Finished", effects) {
            return;
        }
        let is_second = self.alter(id, |worker, timers| {
            let WorkerState::Busy(run) = &mut worker.state else { return false };
            if run.finished.is_some() {
                return true;
            }
            run.finished = Some(FinishedReport { at: now, outcome, metrics });
            match run.phase {
                RunPhase::Sent | RunPhase::Started => {
                    run.phase = RunPhase::Finished;
                    worker.since = now;
                    worker.set_deadline(timers, Some(now + IDLE_TIMEOUT));
                }
                // What we have begun goes on until Idle: only that shows that the worker is well.
                RunPhase::Finished
                | RunPhase::Cancelling { .. }
                | RunPhase::Departing
                | RunPhase::Terminating
                | RunPhase::Killing => {}
            }
            false
        });
        if is_second == Some(true) {
            self.broken(now, id, "a second Finished".to_owned(), effects);
        }
    }

    pub(super) fn run_idle(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        number: u32,
        rss_bytes: u64,
        asks_recycle: bool,
        effects: &mut Vec<PoolEffect>,
    ) {
        if !self.is_about_current(now, id, number, "Idle", effects) {
            return;
        }
        let Some(WorkerState::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else { return };
        if run.finished.is_none() {
            return self.broken(now, id, "Idle before Finished".to_owned(), effects);
        }
        let Some(run) = self.take_run(id) else { return };
        let phase = run.phase;
        self.conclude(now, id, run, None, effects);
        match phase {
            RunPhase::Sent | RunPhase::Started | RunPhase::Finished | RunPhase::Cancelling { .. } => {
                self.after_run(now, id, rss_bytes, asks_recycle, effects);
            }
            // A worker that was told to go, or said it goes, never serves again, whatever it says now.
            RunPhase::Departing | RunPhase::Terminating | RunPhase::Killing => {}
        }
    }

    /// Sorts out frames about other runs: late ones are counted and dropped, impossible ones end the worker.
    fn is_about_current(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        number: u32,
        frame: &str,
        effects: &mut Vec<PoolEffect>,
    ) -> bool {
        let Some(worker) = self.workers.get(&id) else { return false };
        match worker.concern(number) {
            FrameSubject::Current => true,
            FrameSubject::Ended => {
                self.stale_frames += 1;
                false
            }
            FrameSubject::Unheard => {
                self.broken(now, id, format!("{frame} for run {number}, which it was never given"), effects);
                false
            }
            FrameSubject::Unready => {
                self.broken(now, id, format!("{frame} before Ready"), effects);
                false
            }
        }
    }

    /// The worker broke the order of the conversation.
    pub(super) fn broken(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        self.violate(now, id, ProtocolViolation::Broken { message }, effects);
    }

    /// A measurement while a worker lives: it matters while it runs user code.
    pub(super) fn memory_sample(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        rss_bytes: u64,
        effects: &mut Vec<PoolEffect>,
    ) {
        let kill_bytes = self.config.memory_kill_bytes();
        let is_above_limit = self.config.is_above_memory_limit(rss_bytes);
        let kills = self.alter(id, |worker, _| {
            worker.rss_bytes = rss_bytes;
            worker.memory_peak_bytes = worker.memory_peak_bytes.max(rss_bytes);
            let WorkerState::Busy(run) = &mut worker.state else { return false };
            match run.phase {
                RunPhase::Sent
                | RunPhase::Started
                | RunPhase::Cancelling { .. }
                | RunPhase::Departing
                | RunPhase::Terminating => {}
                RunPhase::Finished | RunPhase::Killing => return false,
            }
            if run.finished.is_none()
                && let Some(limit_bytes) = kill_bytes.filter(|limit| rss_bytes > *limit)
            {
                run.cause.get_or_insert(StopCause::Memory { rss_bytes, limit_bytes });
                return true;
            }
            if is_above_limit {
                // Its replacement is started while it still runs.
                worker.due.get_or_insert(RecycleReason::Memory);
            }
            false
        });
        if kills == Some(true) {
            self.kill_run(now, id, KillCause::Memory, effects);
        }
    }
}
