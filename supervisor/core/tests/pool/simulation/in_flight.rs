//! The other memory: what was asked for each attempt, what its workers said, and which endings that allows.

use std::collections::{BTreeMap, BTreeSet};

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::{Assignment, PoolInvariant, PoolTime, RunFinish, WorkerId};
use muster_protocol::{CancelReason, RunOutcome, error_type};
use uuid::Uuid;

use crate::simulator::require;

/// All attempts ever submitted.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    attempts: BTreeMap<Attempt, Entry>,
    open: BTreeSet<Attempt>,
}

/// What is known of one attempt.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) is_over: bool,
    /// It has no timeout.
    pub(crate) is_unlimited: bool,
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) submitted_at: PoolTime,
    /// The worker that has it, from Execute until its exit or Idle.
    pub(crate) worker: Option<WorkerId>,
    pub(crate) executes: u32,
    pub(crate) was_started: bool,
    /// The first outcome read from the worker that has it.
    pub(crate) outcome: Option<RunOutcome>,
    /// The first reason written to the worker, or sent as a signal, before an outcome was read.
    pub(crate) told: Option<CancelReason>,
    /// Every reason anybody gave.
    pub(crate) asked: Vec<CancelReason>,
}

impl Ledger {
    pub(crate) fn submit(&mut self, assignment: Assignment, now: PoolTime) {
        let Assignment { attempt, organization_id, timeout, halts: _ } = assignment;
        let is_unlimited = timeout.is_none();
        let entry = Entry { is_unlimited, organization_id, submitted_at: now, ..Entry::default() };
        self.attempts.insert(attempt, entry);
        self.open.insert(attempt);
    }

    pub(crate) fn entry(&mut self, attempt: Attempt) -> &mut Entry {
        match self.attempts.get_mut(&attempt) {
            Some(entry) => entry,
            None => panic!("{attempt} was never submitted"),
        }
    }

    pub(crate) fn open(&self) -> &BTreeSet<Attempt> {
        &self.open
    }

    /// Whose attempts wait for a worker.
    pub(crate) fn waiting_organizations(&self) -> BTreeSet<Option<Uuid>> {
        let entries = self.open.iter().filter_map(|attempt| self.attempts.get(attempt));
        entries.filter(|entry| entry.worker.is_none()).map(|entry| entry.organization_id).collect()
    }

    pub(crate) fn is_unlimited(&self, attempt: Attempt) -> bool {
        self.attempts.get(&attempt).is_some_and(|entry| entry.is_unlimited)
    }

    /// Nothing is open but runs that may take for ever, and what waits because of them.
    pub(crate) fn is_at_rest(&self) -> bool {
        let is_running_unlimited = |attempt: &Attempt| {
            self.attempts.get(attempt).is_some_and(|entry| entry.is_unlimited && entry.worker.is_some())
        };
        self.open.is_empty() || self.open.iter().any(is_running_unlimited)
    }

    pub(crate) fn held_by_workers(&self) -> usize {
        let is_held = |attempt| self.attempts.get(attempt).is_some_and(|entry| entry.worker.is_some());
        self.open.iter().filter(|attempt| is_held(attempt)).count()
    }

    pub(crate) fn executes(&mut self, attempt: Attempt, worker: WorkerId) {
        let entry = self.entry(attempt);
        require(!entry.is_over, PoolInvariant::OneFinish, || {
            format!("{attempt} is executed after it finished")
        });
        require(entry.worker.is_none(), PoolInvariant::OneWorker, || {
            format!("{attempt} is executed while {:?} has it", entry.worker)
        });
        require(!entry.was_started, PoolInvariant::OneWorker, || {
            format!("{attempt} is executed again though user code was entered")
        });
        entry.executes += 1;
        require(entry.executes <= 3, PoolInvariant::OneWorker, || {
            format!("{attempt} is executed more than three times")
        });
        entry.worker = Some(worker);
        entry.outcome = None;
        entry.told = None;
    }

    /// The pool gave its ending: exactly one, and one that the evidence allows.
    pub(crate) fn finish(&mut self, finish: &RunFinish, is_draining: bool, are_starts_failing: bool) {
        let attempt = finish.attempt;
        self.open.remove(&attempt);
        let entry = self.entry(attempt);
        require(!entry.is_over, PoolInvariant::OneFinish, || format!("{attempt} finished twice"));
        entry.is_over = true;
        require(finish.duration.is_some() == entry.was_started, PoolInvariant::HonestEnding, || {
            format!("{attempt}: a duration is there exactly if Started was read")
        });
        require(finish.worker.is_none() || entry.executes > 0, PoolInvariant::HonestEnding, || {
            format!("{attempt} never ran, yet a worker is named")
        });
        let ending = &finish.ending;
        let was_asked = |reason| entry.asked.contains(&reason);
        match (entry.told, &entry.outcome) {
            (Some(CancelReason::User), _) => {
                expect(matches!(ending, RunEnding::Cancelled { .. }), entry, finish)
            }
            (Some(CancelReason::Timeout), _) => {
                expect(matches!(ending, RunEnding::TimedOut { .. }), entry, finish)
            }
            (Some(CancelReason::LeaseLost), _) => expect(*ending == RunEnding::Superseded, entry, finish),
            (Some(CancelReason::Shutdown), Some(RunOutcome::Succeeded { .. })) => {
                expect(matches!(ending, RunEnding::Succeeded { .. }), entry, finish);
            }
            (Some(CancelReason::Shutdown), _) => {
                expect(matches!(ending, RunEnding::Released { charged: false, .. }), entry, finish);
            }
            (None, Some(RunOutcome::Succeeded { .. })) => {
                expect(matches!(ending, RunEnding::Succeeded { .. }), entry, finish);
            }
            (None, Some(RunOutcome::Failed { error })) => {
                let kind = match error.kind.as_str() {
                    "" => error_type::EXECUTION_ERROR,
                    "TimeoutError" => "User.TimeoutError",
                    other => other,
                };
                expect(failed_as(ending, &[kind]), entry, finish);
            }
            (None, Some(RunOutcome::Rejected { .. })) => {
                expect(failed_as(ending, &[error_type::WORKFLOW_NOT_FOUND]), entry, finish);
            }
            (None, Some(RunOutcome::Cancelled { .. })) => {
                let is_timeout = matches!(ending, RunEnding::TimedOut { .. });
                expect(is_timeout || failed_as(ending, &[error_type::EXECUTION_ERROR]), entry, finish);
            }
            (None, None) if entry.was_started => {
                let kinds = [
                    error_type::WORKER_CRASHED,
                    error_type::OUT_OF_MEMORY,
                    error_type::PROTOCOL_VIOLATION,
                    error_type::STDOUT_POLLUTED,
                ];
                expect(failed_as(ending, &kinds), entry, finish);
            }
            (None, None) => match ending {
                RunEnding::Failed { error } if error.kind == error_type::WORKER_INIT_FAILED => {
                    expect(are_starts_failing, entry, finish);
                }
                RunEnding::Failed { .. } => {
                    expect(failed_as(ending, &[error_type::WORKER_CRASHED]), entry, finish);
                    expect(entry.executes == 3, entry, finish);
                }
                RunEnding::Cancelled { .. } => expect(was_asked(CancelReason::User), entry, finish),
                RunEnding::TimedOut { .. } => expect(was_asked(CancelReason::Timeout), entry, finish),
                RunEnding::Superseded => expect(was_asked(CancelReason::LeaseLost), entry, finish),
                RunEnding::Released { charged, .. } => {
                    let has_reason = is_draining || are_starts_failing || was_asked(CancelReason::Shutdown);
                    expect(!charged && has_reason, entry, finish);
                }
                RunEnding::Succeeded { .. } => expect(false, entry, finish),
            },
        }
        if matches!(ending, RunEnding::Released { .. }) {
            // Rule 22: the process that may have run it is gone, or it said itself that it is done.
            expect(entry.worker.is_none() || entry.outcome.is_some(), entry, finish);
        }
        if let RunEnding::Failed { error } = ending {
            require(error.message.len() <= 2_048, PoolInvariant::HonestEnding, || {
                format!("a message of {} bytes", error.message.len())
            });
        }
    }
}

fn failed_as(ending: &RunEnding, kinds: &[&str]) -> bool {
    matches!(ending, RunEnding::Failed { error } if kinds.contains(&error.kind.as_str()))
}

fn expect(holds: bool, entry: &Entry, finish: &RunFinish) {
    require(holds, PoolInvariant::HonestEnding, || {
        format!("the evidence does not allow this ending: {finish:?}, evidence {entry:?}")
    });
}
