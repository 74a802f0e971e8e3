//! How runs are asked, told and made to end, and how workers leave.

use muster_protocol::CancelReason;

use super::config::DUMP_LEAD;
use super::effect::{Effect, KillCause};
use super::event::{Exit, Violation, WorkerId};
use super::machine::Pool;
use super::queue::Place;
use super::run::{Cause, Phase};
use super::time::Time;
use super::verdict::describe_timeout;
use super::worker::{Leaving, Parting, Stage, State};
use crate::execution::Attempt;

impl Pool {
    /// Somebody wants an attempt to end.
    pub(super) fn cancel(
        &mut self,
        now: Time,
        attempt: Attempt,
        reason: CancelReason,
        message: String,
        effects: &mut Vec<Effect>,
    ) {
        match self.queue.place(attempt) {
            None => {}
            Some(Place::Waiting(number)) => self.cancel_waiting(number, reason, &message, effects),
            Some(Place::Worker(id)) => self.cancel_run(now, id, reason, message, effects),
        }
    }

    /// Asks a run to end: a Cancel frame where the worker takes one, else SIGTERM. The first reason stands,
    /// and a run that has finished is not asked any more.
    pub(super) fn cancel_run(
        &mut self,
        now: Time,
        id: WorkerId,
        reason: CancelReason,
        message: String,
        effects: &mut Vec<Effect>,
    ) {
        let (graceful, grace) = (self.config.graceful_shutdown, self.config.cancel_grace());
        self.alter(id, |worker, timers| {
            let State::Busy(run) = &mut worker.state else { return };
            match run.phase {
                Phase::Sent | Phase::Started => {}
                Phase::Finished => return,
                Phase::Cancelling { .. } | Phase::Departing | Phase::Terminating | Phase::Killing => {
                    // Too late to decide how it ends, unless it turns out that it never began.
                    run.wish.get_or_insert(reason);
                    return;
                }
            }
            worker.since = now;
            run.cause = Some(Cause::Cancel { reason, message: message.clone() });
            if worker.features.cancel {
                let terminate_at = now + grace;
                let dump_due = worker.features.dump;
                run.phase = Phase::Cancelling { terminate_at, dump_due };
                let (attempt, number) = (run.assignment.attempt, run.number);
                let first = if dump_due { now + grace.saturating_sub(DUMP_LEAD) } else { terminate_at };
                worker.set_deadline(timers, Some(first));
                effects.push(Effect::Cancel { worker: id, run: number, attempt, reason, message, grace });
            } else {
                run.phase = Phase::Terminating;
                worker.set_deadline(timers, Some(now + graceful));
                effects.push(Effect::Terminate { worker: id, cause: KillCause::Cancelled(reason) });
            }
        });
    }

    /// The deadline of a run's phase has passed.
    pub(super) fn run_deadline(&mut self, now: Time, id: WorkerId, phase: Phase, effects: &mut Vec<Effect>) {
        match phase {
            Phase::Sent => {
                self.alter(id, |worker, _| {
                    if let State::Busy(run) = &mut worker.state {
                        run.cause.get_or_insert(Cause::NotStarted);
                    }
                });
                self.kill_run(now, id, KillCause::NotStarted, effects);
            }
            Phase::Started => self.time_out(now, id, effects),
            Phase::Finished => self.not_idle(now, id, effects),
            Phase::Cancelling { terminate_at, dump_due } => {
                self.escalate(now, id, terminate_at, dump_due, effects);
            }
            Phase::Departing => {
                self.alter(id, |worker, _| {
                    if let State::Busy(run) = &mut worker.state {
                        run.cause.get_or_insert(Cause::Stayed);
                    }
                });
                self.kill_run(now, id, KillCause::Retired, effects);
            }
            Phase::Terminating => {
                let cause = self.kill_cause(id);
                self.kill_run(now, id, cause, effects);
            }
            Phase::Killing => {}
        }
    }

    fn time_out(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) {
        let Some(State::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else { return };
        let message = describe_timeout(run.assignment.timeout);
        self.cancel_run(now, id, CancelReason::Timeout, message, effects);
    }

    /// The outcome is there and stands; the worker is stuck between runs and is of no use.
    fn not_idle(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) {
        let Some(run) = self.take_run(id) else { return };
        self.kill_outright(now, id, KillCause::NotIdle, effects);
        self.conclude(now, id, run, None, effects);
    }

    /// A run was asked to end and has not: first the question what it is doing, then SIGTERM.
    fn escalate(
        &mut self,
        now: Time,
        id: WorkerId,
        terminate_at: Time,
        dump_due: bool,
        effects: &mut Vec<Effect>,
    ) {
        let cause = self.kill_cause(id);
        let graceful = self.config.graceful_shutdown;
        self.alter(id, |worker, timers| {
            let State::Busy(run) = &mut worker.state else { return };
            if dump_due && run.finished.is_none() {
                effects.push(Effect::Dump { worker: id, run: run.number });
            }
            if now < terminate_at {
                run.phase = Phase::Cancelling { terminate_at, dump_due: false };
                worker.set_deadline(timers, Some(terminate_at));
            } else {
                run.phase = Phase::Terminating;
                worker.since = now;
                worker.set_deadline(timers, Some(now + graceful));
                effects.push(Effect::Terminate { worker: id, cause });
            }
        });
    }

    /// The name of what a busy worker is being ended for.
    fn kill_cause(&self, id: WorkerId) -> KillCause {
        let Some(State::Busy(run)) = self.workers.get(&id).map(|worker| &worker.state) else {
            return KillCause::Retired;
        };
        match &run.cause {
            Some(Cause::Cancel { reason, .. }) => KillCause::Cancelled(*reason),
            Some(Cause::Memory { .. }) => KillCause::Memory,
            Some(Cause::Violation(_)) => KillCause::Violation,
            Some(Cause::NotStarted) => KillCause::NotStarted,
            Some(Cause::Stayed) | None => KillCause::Retired,
        }
    }

    /// SIGKILL to a worker that has a run. The run is concluded when the process is gone.
    pub(super) fn kill_run(&mut self, now: Time, id: WorkerId, cause: KillCause, effects: &mut Vec<Effect>) {
        self.alter(id, |worker, timers| {
            let State::Busy(run) = &mut worker.state else { return };
            if run.phase != Phase::Killing {
                run.phase = Phase::Killing;
                worker.since = now;
                worker.set_deadline(timers, None);
                effects.push(Effect::Kill { worker: id, cause });
            }
        });
    }

    /// SIGKILL to a worker that has no run.
    pub(super) fn kill_outright(
        &mut self,
        now: Time,
        id: WorkerId,
        cause: KillCause,
        effects: &mut Vec<Effect>,
    ) {
        self.part(now, id, Parting::Kill(cause), effects);
    }

    /// Asks a worker that has no run to leave; signals follow if it does not.
    pub(super) fn retire(&mut self, now: Time, id: WorkerId, reason: &str, effects: &mut Vec<Effect>) {
        self.part(now, id, Parting::Retire(reason.to_owned()), effects);
    }

    fn part(&mut self, now: Time, id: WorkerId, parting: Parting, effects: &mut Vec<Effect>) {
        let graceful = self.config.graceful_shutdown;
        let idle = &mut self.idle;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let State::Idle { turn } = worker.state {
            // Its token is taken out for good.
            idle.discard(turn);
        }
        self.alter(id, |worker, timers| {
            let is_unborn = match &worker.state {
                State::Starting(stage) => *stage == Stage::Spawning,
                State::Leaving(Leaving::Unborn(_)) => true,
                State::Idle { .. }
                | State::Busy(_)
                | State::Leaving(Leaving::Asked | Leaving::Terminated(_) | Leaving::Killed) => false,
            };
            worker.since = now;
            worker.set_deadline(timers, None);
            if is_unborn {
                worker.state = State::Leaving(Leaving::Unborn(parting));
                return;
            }
            match parting {
                Parting::Kill(cause) => {
                    worker.state = State::Leaving(Leaving::Killed);
                    effects.push(Effect::Kill { worker: id, cause });
                }
                Parting::Retire(reason) => {
                    worker.state = State::Leaving(Leaving::Asked);
                    worker.set_deadline(timers, Some(now + graceful));
                    effects.push(Effect::Retire { worker: id, reason });
                }
            }
        });
    }

    /// A worker on its way out takes too long.
    pub(super) fn leaving_deadline(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) {
        let graceful = self.config.graceful_shutdown;
        self.alter(id, |worker, timers| {
            let State::Leaving(leaving) = &mut worker.state else { return };
            match leaving {
                Leaving::Unborn(_) | Leaving::Killed => {}
                Leaving::Asked => {
                    *leaving = Leaving::Terminated(KillCause::Retired);
                    worker.since = now;
                    worker.set_deadline(timers, Some(now + graceful));
                    effects.push(Effect::Terminate { worker: id, cause: KillCause::Retired });
                }
                Leaving::Terminated(cause) => {
                    let cause = *cause;
                    *leaving = Leaving::Killed;
                    worker.since = now;
                    effects.push(Effect::Kill { worker: id, cause });
                }
            }
        });
    }

    /// The worker broke the protocol: it is killed, and a run that has no outcome yet fails by it.
    pub(super) fn violate(
        &mut self,
        now: Time,
        id: WorkerId,
        violation: Violation,
        effects: &mut Vec<Effect>,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match &mut worker.state {
            State::Starting(_) => {
                let (Violation::Polluted { message } | Violation::Broken { message }) = violation;
                self.kill_outright(now, id, KillCause::Violation, effects);
                self.start_failed(now, id, format!("it broke the protocol: {message}"), effects);
            }
            State::Idle { .. } => self.kill_outright(now, id, KillCause::Violation, effects),
            State::Busy(run) => {
                run.cause.get_or_insert(Cause::Violation(violation));
                self.kill_run(now, id, KillCause::Violation, effects);
            }
            State::Leaving(_) => {}
        }
    }

    /// The worker leaves of its own accord. With a run in hand it is given time to exit; what becomes of the
    /// run is known only then, because nothing else proves that its code does not run.
    pub(super) fn goodbye(&mut self, now: Time, id: WorkerId, reason: String, effects: &mut Vec<Effect>) {
        let graceful = self.config.graceful_shutdown;
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            State::Starting(_) => {
                self.retire(now, id, "it said Goodbye", effects);
                self.start_failed(now, id, format!("it said Goodbye before it was Ready: {reason}"), effects);
            }
            State::Idle { .. } => self.retire(now, id, "it said Goodbye", effects),
            State::Busy(_) => {
                self.alter(id, |worker, timers| {
                    let State::Busy(run) = &mut worker.state else { return };
                    run.goodbye = Some(reason);
                    match run.phase {
                        Phase::Sent | Phase::Started | Phase::Finished => {
                            run.phase = Phase::Departing;
                            worker.since = now;
                            worker.set_deadline(timers, Some(now + graceful));
                        }
                        Phase::Cancelling { .. } | Phase::Departing | Phase::Terminating | Phase::Killing => {
                        }
                    }
                });
            }
            State::Leaving(_) => {}
        }
    }

    /// The process is gone: the last that is heard of a worker.
    pub(super) fn exited(&mut self, now: Time, id: WorkerId, exit: &Exit, effects: &mut Vec<Effect>) {
        match self.workers.get(&id).map(|worker| &worker.state) {
            None => return,
            Some(State::Starting(stage)) => {
                let stage = *stage;
                self.exited_starting(now, id, stage, exit, effects);
            }
            Some(State::Idle { .. } | State::Busy(_) | State::Leaving(_)) => {}
        }
        let Some(worker) = self.remove(id) else { return };
        match worker.state {
            State::Starting(_) | State::Idle { .. } | State::Leaving(_) => {}
            State::Busy(run) => self.conclude(now, id, run, Some(exit), effects),
        }
    }
}
