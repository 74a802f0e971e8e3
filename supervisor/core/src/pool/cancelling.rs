//! How runs are asked, told and made to end.

use muster_protocol::CancelReason;

use super::config::DUMP_LEAD;
use super::effect::{KillCause, PoolEffect};
use super::event::WorkerId;
use super::machine::Pool;
use super::outcome::describe_timeout;
use super::queue::AttemptPlace;
use super::run::{RunPhase, StopCause};
use super::time::PoolTime;
use super::worker::WorkerState;
use crate::execution::Attempt;

impl Pool {
    /// Somebody wants an attempt to end.
    pub(super) fn cancel(
        &mut self,
        now: PoolTime,
        attempt: Attempt,
        reason: CancelReason,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        match self.queue.place(attempt) {
            None => {}
            Some(AttemptPlace::Waiting(number)) => self.cancel_waiting(number, reason, &message, effects),
            Some(AttemptPlace::Worker(id)) => self.cancel_run(now, id, reason, message, effects),
        }
    }

    /// Asks a run to end: a Cancel frame where the worker takes one, else SIGTERM. The first reason stands,
    /// and a run that has finished is not asked any more.
    pub(super) fn cancel_run(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        reason: CancelReason,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        let (graceful, grace) = (self.config.graceful_shutdown, self.config.cancel_grace());
        self.alter(id, |worker, timers| {
            let WorkerState::Busy(run) = &mut worker.state else { return };
            match run.phase {
                RunPhase::Sent | RunPhase::Started => {}
                RunPhase::Finished => return,
                RunPhase::Cancelling { .. }
                | RunPhase::Departing
                | RunPhase::Terminating
                | RunPhase::Killing => {
                    // Too late to decide how it ends, unless it turns out that it never began.
                    run.wish.get_or_insert(reason);
                    return;
                }
            }
            worker.since = now;
            run.cause = Some(StopCause::Cancel { reason, message: message.clone() });
            if worker.features.cancel {
                let terminate_at = now + grace;
                let dump_due = worker.features.dump;
                run.phase = RunPhase::Cancelling { terminate_at, dump_due };
                let (attempt, number) = (run.assignment.attempt, run.number);
                let first = if dump_due { now + grace.saturating_sub(DUMP_LEAD) } else { terminate_at };
                worker.set_deadline(timers, Some(first));
                effects.push(PoolEffect::Cancel { worker: id, run: number, attempt, reason, message, grace });
            } else {
                run.phase = RunPhase::Terminating;
                worker.set_deadline(timers, Some(now + graceful));
                effects.push(PoolEffect::Terminate { worker: id, cause: KillCause::Cancelled(reason) });
            }
        });
    }

    /// The deadline of a run's phase has passed.
    pub(super) fn run_deadline(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        phase: RunPhase,
        effects: &mut Vec<PoolEffect>,
    ) {
        match phase {
            RunPhase::Sent => {
                self.alter(id, |worker, _| {
                    if let WorkerState::Busy(run) = &mut worker.state {
                        run.cause.get_or_insert(StopCause::NotStarted);
                    }
                });
                self.kill_run(now, id, KillCause::NotStarted, effects);
            }
            RunPhase::Started => self.time_out(now, id, effects),
            RunPhase::Finished => self.not_idle(now, id, effects),
            RunPhase::Cancelling { terminate_at, dump_due } => {
                self.escalate(now, id, terminate_at, dump_due, effects);
            }
            RunPhase::Departing => {
                self.alter(id, |worker, _| {
                    if let WorkerState::Busy(run) = &mut worker.state {
                        run.cause.get_or_insert(StopCause::Stayed);
                    }
                });
                self.kill_run(now, id, KillCause::Retired, effects);
            }
            RunPhase::Terminating => {
                let cause = self.kill_cause(id);
                self.kill_run(now, id, cause, effects);
            }
            RunPhase::Killing => {}
        }
    }

    fn time_out(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(WorkerState::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else { return };
        let message = describe_timeout(run.assignment.timeout);
        self.cancel_run(now, id, CancelReason::Timeout, message, effects);
    }

    /// The outcome is there and stands; the worker is stuck between runs and is of no use.
    fn not_idle(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(run) = self.take_run(id) else { return };
        self.kill_outright(now, id, KillCause::NotIdle, effects);
        self.conclude(now, id, run, None, effects);
    }

    /// A run was asked to end and has not: first the question what it is doing, then SIGTERM.
    fn escalate(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        terminate_at: PoolTime,
        dump_due: bool,
        effects: &mut Vec<PoolEffect>,
    ) {
        let cause = self.kill_cause(id);
        let graceful = self.config.graceful_shutdown;
        self.alter(id, |worker, timers| {
            let WorkerState::Busy(run) = &mut worker.state else { return };
            if dump_due && run.finished.is_none() {
                effects.push(PoolEffect::Dump { worker: id, run: run.number });
            }
            if now < terminate_at {
                run.phase = RunPhase::Cancelling { terminate_at, dump_due: false };
                worker.set_deadline(timers, Some(terminate_at));
            } else {
                run.phase = RunPhase::Terminating;
                worker.since = now;
                worker.set_deadline(timers, Some(now + graceful));
                effects.push(PoolEffect::Terminate { worker: id, cause });
            }
        });
    }

    /// The name of what a busy worker is being ended for.
    fn kill_cause(&self, id: WorkerId) -> KillCause {
        let Some(WorkerState::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else {
            return KillCause::Retired;
        };
        run.kill_cause()
    }

    /// SIGKILL to a worker that has a run. The run is concluded when the process is gone.
    pub(super) fn kill_run(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        cause: KillCause,
        effects: &mut Vec<PoolEffect>,
    ) {
        self.alter(id, |worker, timers| {
            let WorkerState::Busy(run) = &mut worker.state else { return };
            if run.phase != RunPhase::Killing {
                run.phase = RunPhase::Killing;
                worker.since = now;
                worker.set_deadline(timers, None);
                effects.push(PoolEffect::Kill { worker: id, cause });
            }
        });
    }
}
