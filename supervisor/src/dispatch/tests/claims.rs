//! Claims of a broker's messages, and one whose commit nobody heard of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_intake::{ClaimAnswer, Claims as _};
use muster_store::{
    Claim, ClaimStore, Claimant, Claimed, DueExecutions, ExecutionStore as _, NewExecution, QueueStore as _,
    Renewal, Result, SqliteStore, StoreError, TakeOver,
};
use serde_json::json;
use uuid::Uuid;

use super::{TestLine, request};
use crate::dispatch::DispatchClaims;

/// Commits, and loses the connection before it can say so; once.
#[derive(Debug)]
struct LosesCommit {
    store: Arc<SqliteStore>,
    is_lost: AtomicBool,
}

#[async_trait]
impl ClaimStore for LosesCommit {
    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        let claims = self.store.claim(claimant, executions).await?;
        if self.is_lost.swap(true, Ordering::SeqCst) {
            return Ok(claims);
        }
        Err(StoreError::CommitUnknown { backend: "test", message: "the connection is gone".to_owned() })
    }

    async fn starts_at_once(&self, claimant: &Claimant, execution: &NewExecution) -> Result<bool> {
        self.store.starts_at_once(claimant, execution).await
    }

    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        self.store.claimed_by(owner, ids).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions> {
        self.store.claim_due(claimant, limit, take_over).await
    }

    async fn expire(&self, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>> {
        self.store.expire(claimant, limit).await
    }

    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
        self.store.renew(claimant, held).await
    }

    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        self.store.record_started(owner, started).await
    }
}

fn claims(line: &TestLine, store: Arc<dyn ClaimStore>) -> Arc<DispatchClaims> {
    Arc::new(DispatchClaims {
        claimant: line.claimant.clone(),
        store,
        slots: Arc::clone(&line.slots),
        dispatcher: Arc::clone(&line.dispatcher),
    })
}

#[tokio::test]
async fn what_is_claimed_goes_to_the_executor_and_the_answers_are_in_order() {
    let mut line = TestLine::start().await;
    let claims = claims(&line, line.store.clone());
    let (waits, new) = (request(&json!({})), request(&json!({"parameters": [7]})));
    let reservation = Arc::clone(&claims).reserve(1).await;
    assert_eq!(claims.claim(vec![Arc::clone(&waits)], reservation).await.unwrap(), [ClaimAnswer::Taken]);
    assert_eq!(line.executor.submitted().await.attempt, Attempt::new(waits.id, 1));
    let reservation = Arc::clone(&claims).reserve(2).await;
    let answers = claims.claim(vec![waits, Arc::clone(&new)], reservation).await.unwrap();
    assert_eq!(answers, [ClaimAnswer::Elsewhere(Status::Running), ClaimAnswer::Taken]);
    let spec = line.executor.submitted().await;
    assert_eq!((spec.attempt, &spec.params.0[..]), (Attempt::new(new.id, 1), &b"[7]"[..]));
    assert_eq!(line.slots.free(), 2, "the slot that was not used is back");
}

#[tokio::test]
async fn what_comes_while_a_worker_is_free_and_nothing_waits_starts_at_once() {
    let mut line = TestLine::start().await;
    let claims = claims(&line, line.store.clone());
    let execution = request(&json!({}));
    assert!(!claims.start_at_once(&execution).await, "what waits is not known yet");
    line.slots.note_waiting(false);
    assert!(claims.start_at_once(&execution).await);
    assert_eq!(line.executor.submitted().await.attempt, Attempt::new(execution.id, 1));
    assert!(!claims.start_at_once(&execution).await, "its id is known");
    let later = request(&json!({ "delay_seconds": 60 }));
    assert!(!claims.start_at_once(&later).await);
    assert!(line.store.execution(later.id).await.unwrap().is_none(), "it is to be submitted");
    assert_eq!(line.slots.free(), 3, "what did not start keeps no slot");
}

/// It is run as what it was submitted as; whoever asks for something else under its id must hear so.
#[tokio::test]
async fn what_waits_under_an_id_does_not_start_as_another_request() {
    let mut line = TestLine::start().await;
    let claims = claims(&line, line.store.clone());
    let first = request(&json!({"parameters": [1]}));
    line.store.submit(&[NewExecution::clone(&first)]).await.unwrap();
    line.slots.note_waiting(false);
    let other = request(&json!({"execution_id": first.id, "parameters": [2]}));
    assert_eq!(other.id, first.id);
    assert!(!claims.start_at_once(&other).await);
    let spec = line.executor.submitted().await;
    assert_eq!((spec.attempt, &spec.params.0[..]), (Attempt::new(first.id, 1), &b"[1]"[..]));
}

#[tokio::test]
async fn a_claim_that_was_committed_unheard_is_run_once() {
    let mut line = TestLine::start().await;
    let store = LosesCommit { store: line.store.clone(), is_lost: AtomicBool::new(false) };
    let claims = claims(&line, Arc::new(store));
    let execution = request(&json!({}));
    let reservation = Arc::clone(&claims).reserve(1).await;
    let lost = claims.claim(vec![Arc::clone(&execution)], reservation).await.unwrap_err();
    assert!(matches!(lost, StoreError::CommitUnknown { .. }), "{lost}");
    assert_eq!(line.executor.submitted().await.attempt, Attempt::new(execution.id, 1));
    let reservation = Arc::clone(&claims).reserve(1).await;
    let again = claims.claim(vec![execution], reservation).await.unwrap();
    assert_eq!(again, [ClaimAnswer::Elsewhere(Status::Running)]);
    assert!(line.executor.is_idle());
    assert_eq!((line.in_flight.len(), line.slots.free()), (1, 3));
}
