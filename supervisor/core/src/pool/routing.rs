//! Who gets the next execution, and how a worker comes to be idle.

use std::time::Duration;

use super::config::STARTED_TIMEOUT;
use super::effect::PoolEffect;
use super::event::{Assignment, WorkerId};
use super::idle::IdleToken;
use super::invariant::PoolInvariant;
use super::isolation::{GIVES_WAY, Isolation, ServedRuns, WorkerBinding};
use super::machine::Pool;
use super::queue::WaitingAssignment;
use super::run::{PoolRun, RunPhase};
use super::time::PoolTime;
use super::worker::{RecycleReason, WorkerState};
use crate::check_invariant;
use crate::execution::RunEnding;

impl Pool {
    /// A claimed execution arrives. One the pool already holds is ignored: an attempt runs once.
    pub(super) fn submit(&mut self, now: PoolTime, assignment: Assignment, effects: &mut Vec<PoolEffect>) {
        if self.queue.place(assignment.attempt).is_some() {
            return;
        }
        if self.draining.is_some() {
            let reason = "the supervisor is shutting down".to_owned();
            return self.finish_unrun(assignment, RunEnding::Released { reason, charged: false }, effects);
        }
        let waiting = WaitingAssignment { assignment, queued_at: now, deaths: 0 };
        if self.queue.waiting() == 0
            && self.has_room_to_run()
            && let Some(token) = self.idle.take_for(assignment.organization_id)
        {
            return self.execute(now, token, waiting, effects);
        }
        self.queue.push_back(waiting);
    }

    /// Executions at once are bounded whatever number of workers lives, and a run that is being ended counts.
    pub(super) fn has_room_to_run(&self) -> bool {
        self.queue.running() < self.config.max_workers
    }

    /// Gives waiting attempts to idle workers, oldest to warmest. One that no idle worker may serve is passed over.
    pub(super) fn assign_waiting(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let mut next = self.queue.first();
        while self.queue.waiting() > 0
            && !self.idle.is_empty()
            && self.has_room_to_run()
            && let Some((number, waiting)) = self.queue.waiting_from(next)
        {
            next = number + 1;
            let Some(token) = self.idle.take_for(waiting.assignment.organization_id) else { continue };
            if number > self.queue.first() && self.gives_way(now, token.worker()) {
                self.retire(now, token.worker(), GIVES_WAY, effects);
                next = number;
                continue;
            }
            let Some(waiting) = self.queue.take(number) else { return };
            self.execute(now, token, waiting, effects);
        }
    }

    /// Moves an idle worker's token into a run.
    fn execute(
        &mut self,
        now: PoolTime,
        token: IdleToken,
        waiting: WaitingAssignment,
        effects: &mut Vec<PoolEffect>,
    ) {
        let WaitingAssignment { assignment, queued_at, deaths } = waiting;
        let id = token.worker();
        let (isolation, cancel_grace) = (self.config.isolation, self.config.cancel_grace());
        let sent = self.alter(id, |worker, timers| {
            check_invariant!(
                matches!(worker.state, WorkerState::Idle { .. }),
                PoolInvariant::OneRun,
                "an Execute to {id}, which is {:?}",
                worker.state
            );
            check_isolation(isolation, worker.served, assignment);
            worker.runs += 1;
            worker.served = worker.served.and(assignment.organization_id);
            worker.since = now;
            if isolation.binding(worker.served).is_none() {
                // Nothing waits for its replacement: it will never serve again.
                worker.due = Some(RecycleReason::Isolation);
            } else if worker.runs >= worker.execution_limit && worker.due.is_none() {
                // Its last one: the replacement is started now, to be Ready when this run is over.
                worker.due = Some(RecycleReason::Spent);
            }
            worker.state = WorkerState::Busy(PoolRun {
                number: worker.runs,
                assignment,
                queued_at,
                deaths,
                sent_at: now,
                started_at: None,
                finished: None,
                cause: None,
                wish: None,
                goodbye: None,
                phase: RunPhase::Sent,
            });
            worker.set_deadline(timers, Some(now + STARTED_TIMEOUT));
            let grace = if worker.features.cancel { cancel_grace } else { Duration::ZERO };
            (worker.runs, grace)
        });
        match sent {
            Some((run, grace)) => {
                self.queue.given(assignment.attempt, id);
                let (running, most) = (self.queue.running(), self.config.max_workers);
                check_invariant!(
                    running <= most,
                    PoolInvariant::CeilingOfRuns,
                    "{running} executions at once, of {most}"
                );
                effects.push(PoolEffect::Execute { worker: id, run, attempt: assignment.attempt, grace });
            }
            // A token without its worker does not exist; the attempt would wait on all the same.
            None => self.queue.push_front(waiting),
        }
    }

    /// A worker in good health ended a run: it rests, or leaves for a reason that does not wait for a
    /// replacement. Above its memory limit it gets no other run, because that one would pay for this one.
    pub(super) fn after_run(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        rss_bytes: u64,
        asks_recycle: bool,
        effects: &mut Vec<PoolEffect>,
    ) {
        let isolation = self.config.isolation;
        let after = self.alter(id, |worker, _| {
            if rss_bytes > 0 {
                worker.rss_bytes = rss_bytes;
            }
            let binding = isolation.binding(worker.served);
            let may_serve = worker.due != Some(RecycleReason::Isolation);
            (worker.rss_bytes, worker.runs, binding.filter(|_| may_serve))
        });
        let Some((rss_bytes, runs, binding)) = after else { return };
        let Some(binding) = binding else {
            return self.retire(now, id, RecycleReason::Isolation.reason(), effects);
        };
        if self.draining.is_some() {
            self.retire(now, id, "the supervisor is shutting down", effects);
        } else if self.config.is_above_memory_limit(rss_bytes) {
            self.retire(now, id, RecycleReason::Memory.reason(), effects);
        } else if asks_recycle {
            self.retire(now, id, "it asked to be replaced", effects);
        } else if runs == u32::MAX {
            // No replacement has been able to start for a very long time.
            self.retire(now, id, "its run numbers are used up", effects);
        } else {
            // It was too large for a while and is not any more.
            self.alter(id, |worker, _| worker.due = worker.due.filter(|due| *due != RecycleReason::Memory));
            self.make_idle(now, id, binding);
        }
    }

    /// The one place where a worker becomes idle, for those whom it may serve.
    pub(super) fn make_idle(&mut self, now: PoolTime, id: WorkerId, binding: WorkerBinding) {
        let Some(worker) = self.workers.get(&id) else { return };
        let turn = self.idle.add(id, worker.due.is_some(), binding, now);
        self.alter(id, |worker, timers| {
            worker.state = WorkerState::Idle { turn };
            worker.since = now;
            worker.set_deadline(timers, None);
        });
    }
}

/// A token is for whom its worker may serve, so this holds whatever the pool decided.
fn check_isolation(isolation: Isolation, served: ServedRuns, assignment: Assignment) {
    let is_admitted =
        isolation.binding(served).is_some_and(|binding| binding.admits(assignment.organization_id));
    let invariant = match isolation {
        Isolation::None => PoolInvariant::OneRun,
        Isolation::Organization => PoolInvariant::OneOrganization,
        Isolation::Execution => PoolInvariant::OneExecution,
    };
    check_invariant!(is_admitted, invariant, "{assignment:?} to a worker that has served {served:?}");
}
