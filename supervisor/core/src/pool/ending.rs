//! The end of a run: an outcome, or another worker.

use muster_protocol::{CancelReason, RunOutcome};

use super::config::DEATHS_BEFORE_STARTED_MAX;
use super::death::DeathEvidence;
use super::effect::{KillCause, PoolEffect, RunFinish};
use super::event::{Assignment, WorkerId};
use super::invariant::PoolInvariant;
use super::machine::Pool;
use super::outcome::{self, Decided};
use super::queue::WaitingAssignment;
use super::run::{PoolRun, RunPhase};
use super::time::PoolTime;
use super::worker::{LeavingPhase, WorkerState};
use crate::check_invariant;
use crate::execution::{DeliveryInvariant, RunEnding};

impl Pool {
    /// Takes the run out of a worker, which leaves it on the way out until [`Pool::make_idle`] says otherwise.
    pub(super) fn take_run(&mut self, id: WorkerId) -> Option<PoolRun> {
        self.alter(id, |worker, _| {
            let WorkerState::Busy(run) = &worker.state else { return None };
            let leaving = match run.phase {
                RunPhase::Sent
                | RunPhase::Started
                | RunPhase::Finished
                | RunPhase::Cancelling { .. }
                | RunPhase::Departing => LeavingPhase::Asked,
                RunPhase::Terminating => LeavingPhase::Terminated(KillCause::Retired),
                RunPhase::Killing => LeavingPhase::Killed(run.kill_cause()),
            };
            worker.executions_done += 1;
            match std::mem::replace(&mut worker.state, WorkerState::Leaving(leaving)) {
                WorkerState::Busy(run) => Some(run),
                WorkerState::Starting(_)
                | WorkerState::Idle { .. }
                | WorkerState::Template(_)
                | WorkerState::Leaving(_) => None,
            }
        })?
    }

    /// The end of a run whose worker is idle, terminating or dead: an outcome, or another worker.
    pub(super) fn conclude(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        mut run: PoolRun,
        evidence: Option<DeathEvidence<'_>>,
        effects: &mut Vec<PoolEffect>,
    ) {
        let has_succeeded = run.cause.is_none()
            && run
                .finished
                .as_ref()
                .is_some_and(|finished| matches!(finished.outcome, RunOutcome::Succeeded { .. }));
        let verdict = outcome::decide(&mut run, evidence.as_ref(), now);
        let ending = match verdict {
            Decided::Ends(ending) => ending,
            Decided::NeverStarted { evidence } => match self.unstarted(&run, evidence) {
                Some(ending) => ending,
                None => {
                    let (assignment, queued_at) = (run.assignment, run.queued_at);
                    let waiting = WaitingAssignment { assignment, queued_at, deaths: run.deaths + 1 };
                    self.queue.finished(assignment.attempt);
                    return self.queue.push_front(waiting);
                }
            },
        };
        let ended_at = run.finished.as_ref().map_or(now, |finished| finished.at);
        let attempt = run.assignment.attempt;
        check_invariant!(
            self.queue.finished(attempt),
            PoolInvariant::OneFinish,
            "{attempt} finishes, and the pool does not hold it"
        );
        check_invariant!(
            !has_succeeded || matches!(ending, RunEnding::Succeeded { .. }),
            DeliveryInvariant::FinishedWins,
            "{attempt} succeeded, and became {ending:?}"
        );
        let halts = run.assignment.halts && is_failure(&ending);
        effects.push(PoolEffect::Finish(RunFinish {
            attempt: run.assignment.attempt,
            ending,
            worker: Some(id),
            duration: run.duration(ended_at),
            observed: run.observed(ended_at),
            metrics: run.finished.map(|finished| finished.metrics),
            end_cause: evidence.map(|evidence| Box::new(evidence.cause)),
        }));
        if halts {
            // In the same step, before its worker or another one could be given what waits.
            self.halt(now, effects);
        }
    }

    /// What becomes of an attempt whose worker died before Started; `None` to try another worker.
    fn unstarted(&self, run: &PoolRun, evidence: String) -> Option<RunEnding> {
        if let Some(reason) = run.wish {
            return Some(outcome::unrun_ending(reason, "cancelled before it entered the workflow"));
        }
        if self.draining.is_some() {
            let reason =
                "its worker ended before it entered the workflow, and the supervisor is shutting down";
            return Some(RunEnding::Released { reason: reason.to_owned(), charged: false });
        }
        let deaths = run.deaths + 1;
        (deaths >= DEATHS_BEFORE_STARTED_MAX).then(|| outcome::never_entered(deaths, &evidence))
    }

    /// The outcome of an attempt that no worker has.
    pub(super) fn finish_unrun(
        &mut self,
        assignment: Assignment,
        ending: RunEnding,
        effects: &mut Vec<PoolEffect>,
    ) {
        self.queue.finished(assignment.attempt);
        effects.push(PoolEffect::Finish(RunFinish {
            attempt: assignment.attempt,
            ending,
            worker: None,
            duration: None,
            observed: None,
            metrics: None,
            end_cause: None,
        }));
    }

    /// What a reason makes of an attempt that has not been given to a worker.
    pub(super) fn cancel_waiting(
        &mut self,
        number: i64,
        reason: CancelReason,
        message: &str,
        effects: &mut Vec<PoolEffect>,
    ) {
        if let Some(waiting) = self.queue.take(number) {
            self.finish_unrun(waiting.assignment, outcome::unrun_ending(reason, message), effects);
        }
    }
}

/// It ended for good, and not well. What goes back or is somebody else's has not ended.
fn is_failure(ending: &RunEnding) -> bool {
    match ending {
        RunEnding::Failed { .. } | RunEnding::TimedOut { .. } | RunEnding::Cancelled { .. } => true,
        RunEnding::Succeeded { .. } | RunEnding::Released { .. } | RunEnding::Superseded => false,
    }
}
