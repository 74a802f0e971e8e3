//! The end of a run: an outcome, or another worker.

use muster_protocol::CancelReason;

use super::config::DEATHS_BEFORE_STARTED_MAX;
use super::effect::{Effect, Ending, Finish, KillCause};
use super::event::{Assignment, Exit, WorkerId};
use super::machine::Pool;
use super::queue::Waiting;
use super::run::{Phase, Run};
use super::time::Time;
use super::verdict::{self, Verdict};
use super::worker::{Leaving, State};

impl Pool {
    /// Takes the run out of a worker, which leaves it on the way out until [`Pool::rest`] says otherwise.
    pub(super) fn take_run(&mut self, id: WorkerId) -> Option<Run> {
        self.alter(id, |worker, _| {
            let State::Busy(run) = &worker.state else { return None };
            let leaving = match run.phase {
                Phase::Sent
                | Phase::Started
                | Phase::Finished
                | Phase::Cancelling { .. }
                | Phase::Departing => Leaving::Asked,
                Phase::Terminating => Leaving::Terminated(KillCause::Retired),
                Phase::Killing => Leaving::Killed,
            };
            worker.executions_done += 1;
            match std::mem::replace(&mut worker.state, State::Leaving(leaving)) {
                State::Busy(run) => Some(run),
                State::Starting(_) | State::Idle { .. } | State::Leaving(_) => None,
            }
        })?
    }

    /// The end of a run whose worker is idle, doomed or dead: an outcome, or another worker.
    pub(super) fn conclude(
        &mut self,
        now: Time,
        id: WorkerId,
        mut run: Run,
        exit: Option<&Exit>,
        effects: &mut Vec<Effect>,
    ) {
        let verdict = verdict::judge(&mut run, exit, now);
        let ending = match verdict {
            Verdict::Ends(ending) => ending,
            Verdict::NeverStarted { evidence } => match self.unstarted(&run, evidence) {
                Some(ending) => ending,
                None => {
                    let (assignment, queued_at) = (run.assignment, run.queued_at);
                    let waiting = Waiting { assignment, queued_at, deaths: run.deaths + 1 };
                    self.queue.finished(assignment.attempt);
                    return self.queue.push_front(waiting);
                }
            },
        };
        let ended_at = run.finished.as_ref().map_or(now, |finished| finished.at);
        self.queue.finished(run.assignment.attempt);
        let halts = run.assignment.halts && is_failure(&ending);
        effects.push(Effect::Finish(Finish {
            attempt: run.assignment.attempt,
            ending,
            worker: Some(id),
            duration: run.duration(ended_at),
            metrics: run.finished.map(|finished| finished.metrics),
        }));
        if halts {
            // In the same step, before its worker or another one could be given what waits.
            self.halt(now, effects);
        }
    }

    /// What becomes of an attempt whose worker died before Started; `None` to try another worker.
    fn unstarted(&self, run: &Run, evidence: String) -> Option<Ending> {
        if let Some(reason) = run.wish {
            return Some(verdict::unrun_ending(reason, "cancelled before it entered the workflow"));
        }
        if self.draining.is_some() {
            let reason =
                "its worker ended before it entered the workflow, and the supervisor is shutting down";
            return Some(Ending::Released { reason: reason.to_owned(), charged: false });
        }
        let deaths = run.deaths + 1;
        (deaths >= DEATHS_BEFORE_STARTED_MAX).then(|| verdict::never_entered(deaths, &evidence))
    }

    /// The end of an attempt that no worker has.
    pub(super) fn finish_unrun(&mut self, assignment: Assignment, ending: Ending, effects: &mut Vec<Effect>) {
        self.queue.finished(assignment.attempt);
        effects.push(Effect::Finish(Finish {
            attempt: assignment.attempt,
            ending,
            worker: None,
            duration: None,
            metrics: None,
        }));
    }

    /// What a reason makes of an attempt that has not been given to a worker.
    pub(super) fn cancel_waiting(
        &mut self,
        number: i64,
        reason: CancelReason,
        message: &str,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(waiting) = self.queue.take(number) {
            self.finish_unrun(waiting.assignment, verdict::unrun_ending(reason, message), effects);
        }
    }
}

/// It ended for good, and not well. What goes back or is somebody else's has not ended.
fn is_failure(ending: &Ending) -> bool {
    match ending {
        Ending::Failed { .. } | Ending::TimedOut { .. } | Ending::Cancelled { .. } => true,
        Ending::Succeeded { .. } | Ending::Released { .. } | Ending::Superseded => false,
    }
}
