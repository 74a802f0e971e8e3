//! How workers leave: asked, told, made to, or of their own accord.

use super::death::{DeathEvidence, WorkerDeath};
use super::effect::{KillCause, PoolEffect};
use super::event::{ProcessExit, ProtocolViolation, WorkerId};
use super::machine::Pool;
use super::outcome::stderr_quote;
use super::run::{RunPhase, StopCause};
use super::time::PoolTime;
use super::worker::{FarewellPhase, LeavingPhase, StartStage, TemplatePhase, WorkerState};

impl Pool {
    /// SIGKILL to a worker that has no run.
    pub(super) fn kill_outright(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        cause: KillCause,
        effects: &mut Vec<PoolEffect>,
    ) {
        self.part(now, id, FarewellPhase::Kill(cause), effects);
    }

    /// Asks a worker that has no run to leave; signals follow if it does not.
    pub(super) fn retire(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        reason: &str,
        effects: &mut Vec<PoolEffect>,
    ) {
        self.part(now, id, FarewellPhase::Retire(reason.to_owned()), effects);
    }

    fn part(&mut self, now: PoolTime, id: WorkerId, parting: FarewellPhase, effects: &mut Vec<PoolEffect>) {
        let graceful = self.config.graceful_shutdown;
        let idle = &mut self.idle;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if let WorkerState::Idle { turn } = worker.state {
            // Its token is taken out for good.
            idle.discard(turn);
        }
        if matches!(worker.state, WorkerState::Starting(StartStage::Awaiting)) {
            // Nobody was asked for it.
            self.remove(id);
            return;
        }
        self.alter(id, |worker, timers| {
            let is_unborn = match &worker.state {
                WorkerState::Starting(stage) => match stage {
                    StartStage::Awaiting | StartStage::Forking { .. } | StartStage::Spawning => true,
                    StartStage::Connecting | StartStage::Loading => false,
                },
                WorkerState::Template(phase) => *phase == TemplatePhase::Spawning,
                WorkerState::Leaving(LeavingPhase::NotSpawned(_)) => true,
                WorkerState::Idle { .. }
                | WorkerState::Busy(_)
                | WorkerState::Leaving(
                    LeavingPhase::Asked | LeavingPhase::Terminated(_) | LeavingPhase::Killed(_),
                ) => false,
            };
            worker.since = now;
            worker.set_deadline(timers, None);
            if is_unborn {
                worker.state = WorkerState::Leaving(LeavingPhase::NotSpawned(parting));
                return;
            }
            match parting {
                FarewellPhase::Kill(cause) => {
                    worker.state = WorkerState::Leaving(LeavingPhase::Killed(cause));
                    effects.push(PoolEffect::Kill { worker: id, cause });
                }
                FarewellPhase::Retire(reason) => {
                    worker.state = WorkerState::Leaving(LeavingPhase::Asked);
                    worker.set_deadline(timers, Some(now + graceful));
                    effects.push(PoolEffect::Retire { worker: id, reason });
                }
            }
        });
    }

    /// A worker on its way out takes too long.
    pub(super) fn leaving_deadline(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let graceful = self.config.graceful_shutdown;
        self.alter(id, |worker, timers| {
            let WorkerState::Leaving(leaving) = &mut worker.state else { return };
            match leaving {
                LeavingPhase::NotSpawned(_) | LeavingPhase::Killed(_) => {}
                LeavingPhase::Asked => {
                    *leaving = LeavingPhase::Terminated(KillCause::Retired);
                    worker.since = now;
                    worker.set_deadline(timers, Some(now + graceful));
                    effects.push(PoolEffect::Terminate { worker: id, cause: KillCause::Retired });
                }
                LeavingPhase::Terminated(cause) => {
                    let cause = *cause;
                    *leaving = LeavingPhase::Killed(cause);
                    worker.since = now;
                    effects.push(PoolEffect::Kill { worker: id, cause });
                }
            }
        });
    }

    /// The worker broke the protocol: it is killed, and a run that has no outcome yet fails by it.
    pub(super) fn violate(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        violation: ProtocolViolation,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match &mut worker.state {
            WorkerState::Starting(_) => {
                let (ProtocolViolation::Polluted { message } | ProtocolViolation::Broken { message }) =
                    violation;
                self.kill_outright(now, id, KillCause::Violation, effects);
                self.start_failed(now, id, format!("it broke the protocol: {message}"), effects);
            }
            WorkerState::Template(_) => {
                let (ProtocolViolation::Polluted { message } | ProtocolViolation::Broken { message }) =
                    violation;
                self.template_failed(now, id, format!("it broke the protocol: {message}"), effects);
                self.kill_outright(now, id, KillCause::Violation, effects);
            }
            WorkerState::Idle { .. } => self.kill_outright(now, id, KillCause::Violation, effects),
            WorkerState::Busy(run) => {
                run.cause.get_or_insert(StopCause::Violation(violation));
                self.kill_run(now, id, KillCause::Violation, effects);
            }
            WorkerState::Leaving(_) => {}
        }
    }

    /// The worker leaves of its own accord. With a run in hand it is given time to exit; what becomes of the
    /// run is known only then, because nothing else proves that its code does not run.
    pub(super) fn goodbye(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        reason: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        let graceful = self.config.graceful_shutdown;
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) => {
                self.retire(now, id, "it said Goodbye", effects);
                self.start_failed(now, id, format!("it said Goodbye before it was Ready: {reason}"), effects);
            }
            WorkerState::Template(_) => {
                self.template_failed(now, id, format!("it said Goodbye: {reason}"), effects);
                self.retire(now, id, "it said Goodbye", effects);
            }
            WorkerState::Idle { .. } => self.retire(now, id, "it said Goodbye", effects),
            WorkerState::Busy(_) => {
                self.alter(id, |worker, timers| {
                    let WorkerState::Busy(run) = &mut worker.state else { return };
                    run.goodbye = Some(reason);
                    match run.phase {
                        RunPhase::Sent | RunPhase::Started | RunPhase::Finished => {
                            run.phase = RunPhase::Departing;
                            worker.since = now;
                            worker.set_deadline(timers, Some(now + graceful));
                        }
                        RunPhase::Cancelling { .. }
                        | RunPhase::Departing
                        | RunPhase::Terminating
                        | RunPhase::Killing => {}
                    }
                });
            }
            WorkerState::Leaving(_) => {}
        }
    }

    /// The process is gone: the last that is heard of a worker.
    pub(super) fn exited(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        exit: &ProcessExit,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let cause = worker.end_cause(exit, &self.config);
        let (attempt, notice) = (worker.attempt(), worker.death_notice(&cause));
        let death = WorkerDeath { worker: id, attempt, cause: cause.clone(), notice };
        effects.push(PoolEffect::WorkerDied(Box::new(death)));
        match &worker.state {
            WorkerState::Starting(stage) => {
                let stage = *stage;
                self.exited_starting(now, id, stage, exit, effects);
            }
            WorkerState::Template(_) => {
                let message = format!("it ended with {}{}", exit.status, stderr_quote(&exit.stderr_tail));
                self.template_failed(now, id, message, effects);
            }
            WorkerState::Idle { .. } | WorkerState::Busy(_) | WorkerState::Leaving(_) => {}
        }
        let Some(worker) = self.remove(id) else { return };
        match worker.state {
            WorkerState::Starting(_)
            | WorkerState::Idle { .. }
            | WorkerState::Template(_)
            | WorkerState::Leaving(_) => {}
            WorkerState::Busy(run) => {
                self.conclude(now, id, run, Some(DeathEvidence { exit, cause }), effects)
            }
        }
    }
}
