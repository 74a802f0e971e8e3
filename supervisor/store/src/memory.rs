//! A record of what runs now, in memory: for whoever runs executions once and keeps their outcomes elsewhere.
//!
//! It answers as the databases do while an execution waits or runs, and forgets it when it is over: logs, events and the
//! executions that a run submits go nowhere. State stays as long as the record does. It is no [`crate::Store`]: nothing can
//! be taken over from it, listed or looked up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use muster_core::execution::{Attempt, Status};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::decide::{AttemptBudget, SettledRow, decide_row};
use crate::{
    Claim, Claimant, Claimed, ConfigEntry, DefinitionStore, Finalization, FinalizeResult, NewExecution,
    OrganizationRecord, OutcomeStore, Result, StateStore, StateWrite, WorkflowRecord,
};

/// The record.
#[derive(Debug, Default)]
pub struct MemoryStore {
    record: Mutex<MemoryRecord>,
}

#[derive(Debug, Default)]
struct MemoryRecord {
    /// What is not over.
    rows: HashMap<Uuid, MemoryRow>,
    state: HashMap<Option<Uuid>, HashMap<String, Box<RawValue>>>,
}

/// An execution that is not over.
#[derive(Debug)]
struct MemoryRow {
    /// The last attempt at it.
    attempt: u32,
    attempts_charged: u32,
    max_attempts: u32,
    phase: RowPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowPhase {
    /// This owner has it.
    Running(Uuid),
    /// Nobody may claim it before.
    Waiting(Instant),
}

impl MemoryStore {
    fn record(&self) -> MutexGuard<'_, MemoryRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims executions: those that are new, and those that went back and have waited.
    pub fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Vec<Claim> {
        let (mut record, now) = (self.record(), Instant::now());
        executions.iter().map(|execution| record.claim(claimant.owner, execution, now)).collect()
    }

    /// Forgets executions that wait.
    pub fn give_up(&self, ids: impl IntoIterator<Item = Uuid>) {
        let mut record = self.record();
        for id in ids {
            let waits = |row: &MemoryRow| matches!(row.phase, RowPhase::Waiting(_));
            if record.rows.get(&id).is_some_and(waits) {
                record.rows.remove(&id);
            }
        }
    }
}

impl MemoryRecord {
    fn claim(&mut self, owner: Uuid, execution: &Arc<NewExecution>, now: Instant) -> Claim {
        let row = self.rows.entry(execution.id).or_insert_with(|| MemoryRow {
            attempt: 0,
            attempts_charged: 0,
            max_attempts: execution.max_attempts.max(1),
            phase: RowPhase::Waiting(now),
        });
        match row.phase {
            RowPhase::Running(_) => return Claim::Elsewhere(Status::Running),
            RowPhase::Waiting(until) if until > now => return Claim::Elsewhere(Status::Pending),
            RowPhase::Waiting(_) => {}
        }
        row.phase = RowPhase::Running(owner);
        row.attempt += 1;
        row.attempts_charged += 1;
        Claim::Claimed(Claimed {
            attempt: Attempt::new(execution.id, row.attempt),
            attempts_charged: row.attempts_charged,
            execution: Arc::clone(execution),
        })
    }

    fn finalize(&mut self, outcome: &Finalization, now: Instant) -> FinalizeResult {
        let Attempt { execution_id, number } = outcome.attempt;
        let held = RowPhase::Running(outcome.owner);
        let Some(row) =
            self.rows.get_mut(&execution_id).filter(|row| row.attempt == number && row.phase == held)
        else {
            return FinalizeResult::Superseded;
        };
        let budget = AttemptBudget {
            attempt: row.attempt,
            attempts_charged: row.attempts_charged,
            max_attempts: row.max_attempts,
            cancel_requested: false,
        };
        let Some(settled) = decide_row(&outcome.disposition, Some(&budget)) else {
            return FinalizeResult::Superseded;
        };
        match &settled {
            SettledRow::Terminal(_) => {
                self.rows.remove(&execution_id);
                self.write_state(outcome);
            }
            SettledRow::Requeue { delay, refund, max_attempts, elsewhere: _, event: _, reason: _ } => {
                row.attempts_charged -= u32::from(*refund);
                row.max_attempts = *max_attempts;
                row.phase = RowPhase::Waiting(now + *delay);
            }
        }
        settled.verdict()
    }

    fn write_state(&mut self, outcome: &Finalization) {
        for change in &outcome.changes {
            let entries = self.state.entry(change.organization_id).or_default();
            match &change.write {
                StateWrite::Set(value) => drop(entries.insert(change.key.clone(), value.clone())),
                StateWrite::Delete => drop(entries.remove(&change.key)),
            }
        }
    }
}

#[async_trait]
impl OutcomeStore for MemoryStore {
    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>> {
        let (mut record, now) = (self.record(), Instant::now());
        Ok(finalizations.iter().map(|outcome| record.finalize(outcome, now)).collect())
    }

    async fn locked(&self, _finalizations: &[Finalization]) -> Result<Vec<Attempt>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>> {
        Ok(self.record().state.get(&organization_id).and_then(|entries| entries.get(key)).cloned())
    }
}

/// Nothing is defined.
#[async_trait]
impl DefinitionStore for MemoryStore {
    async fn workflow(&self, _id: Uuid) -> Result<Option<WorkflowRecord>> {
        Ok(None)
    }

    async fn workflow_named(
        &self,
        _name: &str,
        _organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>> {
        Ok(None)
    }

    async fn organization(&self, _id: Uuid) -> Result<Option<OrganizationRecord>> {
        Ok(None)
    }

    async fn config(&self, _organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::value::to_raw_value;

    use super::*;
    use crate::{Disposition, ExecutionFailure, ExecutionOutcome, ServedQueues, StateChange};

    struct Stand {
        store: MemoryStore,
        claimant: Claimant,
        execution: Arc<NewExecution>,
    }

    impl Stand {
        fn new(max_attempts: u32) -> Self {
            let request = serde_json::json!({ "workflow": "a" });
            let execution: NewExecution = serde_json::from_value(serde_json::json!({
                "id": Uuid::now_v7(), "request": request, "max_attempts": max_attempts, "priority": 5,
            }))
            .unwrap();
            Self {
                store: MemoryStore::default(),
                claimant: Claimant::new(Duration::from_secs(30), ServedQueues::of(["q"])),
                execution: Arc::new(execution),
            }
        }

        fn claim(&self) -> Claim {
            self.store.claim(&self.claimant, std::slice::from_ref(&self.execution)).remove(0)
        }

        fn claimed(&self) -> Claimed {
            let Claim::Claimed(claimed) = self.claim() else { panic!("it is not ours") };
            claimed
        }

        async fn end(&self, attempt: Attempt, disposition: Disposition) -> FinalizeResult {
            let outcome = Finalization::bare(attempt, self.claimant.owner, disposition);
            self.store.finalize(&[outcome]).await.unwrap().remove(0)
        }
    }

    fn retry() -> Disposition {
        let failure = ExecutionFailure::new("Lost", "its worker died");
        Disposition::Retry { failure, delay: Duration::ZERO, max_attempts: 0 }
    }

    fn success() -> Disposition {
        Disposition::Terminal(ExecutionOutcome::Success { result: to_raw_value(&1).unwrap() })
    }

    #[tokio::test]
    async fn what_runs_is_claimed_once_and_what_is_over_is_forgotten() {
        let stand = Stand::new(1);
        let claimed = stand.claimed();
        assert!(matches!(stand.claim(), Claim::Elsewhere(Status::Running)));
        let ended = stand.end(claimed.attempt, success()).await;
        assert_eq!(ended, FinalizeResult::Finished { status: Status::Success, error_type: None });
        assert_eq!(stand.end(claimed.attempt, success()).await, FinalizeResult::Superseded);
        assert!(stand.store.record().rows.is_empty());
    }

    #[tokio::test]
    async fn attempts_are_counted_fenced_and_bounded() {
        let stand = Stand::new(2);
        let first = stand.claimed();
        assert_eq!(stand.end(first.attempt, retry()).await, FinalizeResult::Requeued);
        let second = stand.claimed();
        assert_eq!((second.attempt.number, second.attempts_charged), (2, 2));
        assert_eq!(
            stand.end(first.attempt, success()).await,
            FinalizeResult::Superseded,
            "an earlier attempt"
        );
        let ended = stand.end(second.attempt, retry()).await;
        let error_type = Some("Lost".to_owned());
        assert_eq!(ended, FinalizeResult::Finished { status: Status::Failed, error_type });
    }

    #[tokio::test]
    async fn a_release_that_is_not_charged_gives_its_attempt_back_and_waits() {
        let stand = Stand::new(1);
        let delay = Duration::from_secs(3600);
        let release = Disposition::Release { reason: "drained".to_owned(), delay, charged: false };
        let first = stand.claimed();
        assert_eq!(stand.end(first.attempt, release).await, FinalizeResult::Requeued);
        assert!(matches!(stand.claim(), Claim::Elsewhere(Status::Pending)));
        assert_eq!(stand.store.record().rows[&stand.execution.id].attempts_charged, 0);
    }

    #[tokio::test]
    async fn what_waits_is_given_up_and_what_runs_is_not() {
        let stand = Stand::new(2);
        let claimed = stand.claimed();
        stand.store.give_up([stand.execution.id]);
        assert_eq!(stand.end(claimed.attempt, retry()).await, FinalizeResult::Requeued);
        stand.store.give_up([stand.execution.id]);
        assert!(stand.store.record().rows.is_empty());
    }

    #[tokio::test]
    async fn state_is_written_with_the_end_and_read_by_the_next() {
        let stand = Stand::new(2);
        let write = |write| StateChange { organization_id: None, key: "n".to_owned(), write };
        let outcome = |attempt, disposition, change| Finalization {
            changes: vec![write(change)],
            ..Finalization::bare(attempt, stand.claimant.owner, disposition)
        };
        let set = || StateWrite::Set(to_raw_value(&7).unwrap());
        let first = outcome(stand.claimed().attempt, retry(), set());
        stand.store.finalize(&[first]).await.unwrap();
        assert!(stand.store.state(None, "n").await.unwrap().is_none(), "what goes back writes nothing");
        let second = outcome(stand.claimed().attempt, success(), set());
        stand.store.finalize(&[second]).await.unwrap();
        assert_eq!(stand.store.state(None, "n").await.unwrap().unwrap().get(), "7");
        assert!(stand.store.state(Some(Uuid::nil()), "n").await.unwrap().is_none(), "another scope");
        let third = outcome(stand.claimed().attempt, success(), StateWrite::Delete);
        stand.store.finalize(&[third]).await.unwrap();
        assert!(stand.store.state(None, "n").await.unwrap().is_none());
    }
}
