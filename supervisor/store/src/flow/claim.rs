//! Making executions ours as their messages come, or rows that wait of them.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use uuid::Uuid;

use super::definitions::known_workflows;
use super::pauses::known_pauses;
use super::poll::claim_due;
use super::queue::submit;
use super::renew::{record_started, renew};
use super::unclaimed::expire;
use super::{again, locked_rows, standings, statuses};
use crate::batch::InsertGroups;
use crate::columns::now;
use crate::decide::distinct;
use crate::limits::KnownWorkflows;
use crate::pauses::{PauseSubject, Pauses};
use crate::session::{Backend, Extent, Purpose, StoreSession as _};
use crate::{
    Claim, ClaimStore, Claimant, Claimed, DueExecutions, NewExecution, Renewal, Result, StoreError,
    Submitted, TakeOver,
};

/// What was claimed, by id.
pub(super) type TakenRows = HashMap<Uuid, Claimed>;

#[async_trait]
impl<B: Backend> ClaimStore for B {
    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        again(B::PLANS_MAX, || claim(self, claimant, executions)).await
    }

    async fn starts_at_once(&self, claimant: &Claimant, execution: &NewExecution) -> Result<bool> {
        Ok(!Known::of(self).await?.makes_wait(claimant, execution))
    }

    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        again(B::PLANS_MAX, || self.claims_of(owner, ids)).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions> {
        again(B::PLANS_MAX, || claim_due(self, claimant, limit, take_over)).await
    }

    async fn expire(&self, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>> {
        again(B::PLANS_MAX, || expire(self, claimant, limit)).await
    }

    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
        again(B::PLANS_MAX, || renew(self, claimant, held)).await
    }

    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        again(B::PLANS_MAX, || record_started(self, owner, started)).await
    }
}

/// What is known here of what may keep an execution from starting, at a moment.
struct Known {
    now: Timestamp,
    workflows: Arc<KnownWorkflows>,
    pauses: Arc<Pauses>,
}

impl Known {
    async fn of<B: Backend>(backend: &B) -> Result<Self> {
        let (workflows, pauses) = (known_workflows(backend).await?, known_pauses(backend).await?);
        Ok(Self { now: now(), workflows, pauses })
    }

    fn makes_wait(&self, claimant: &Claimant, new: &NewExecution) -> bool {
        // A key is given away with a row that waits: one way to write it, for those who come together.
        new.must_wait(self.now)
            || new.idempotency.is_some()
            || !claimant.queues.holds(new.queue.as_deref())
            || self.workflows.queue_of(new) != new.queue.as_deref()
            || !self.workflows.limits_of(new).is_empty()
            || self.pauses.keeping(PauseSubject::of(new)).next().is_some()
    }
}

async fn claim<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let known = Known::of(backend).await?;
    let waits = |new: &NewExecution| known.makes_wait(claimant, new);
    if !executions.iter().any(|new| waits(new)) {
        return claim_at_once(backend, claimant, executions).await;
    }
    let (later, at_once): (Vec<_>, Vec<_>) = executions.iter().cloned().partition(|new| waits(new));
    // First what may be written twice: should the claim fail, all of them come again.
    let mut later = keep_as_rows(backend, &later).await?.into_iter();
    let mut at_once = claim_at_once(backend, claimant, &at_once).await?.into_iter();
    let answer = |new: &Arc<NewExecution>| if waits(new) { later.next() } else { at_once.next() };
    Ok(executions.iter().filter_map(answer).collect())
}

/// Makes rows that wait of what is not to run now, or not here.
async fn keep_as_rows<B: Backend>(backend: &B, later: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
    let answer = |submitted| match submitted {
        Submitted::Inserted => Claim::Elsewhere(Status::Pending),
        Submitted::Exists(status) => Claim::Elsewhere(status),
        Submitted::Existing { id, status } => Claim::Existing { id, status },
        Submitted::KeyReused { id } => Claim::KeyReused { id },
        Submitted::LimitReached { limit, .. } => Claim::Refused(format!("limit {limit:?} is full")),
        Submitted::Refused(reason) => Claim::Refused(reason),
    };
    Ok(submit(backend, later).await?.into_iter().map(answer).collect())
}

async fn claim_at_once<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let mut groups = InsertGroups::of(executions);
    while let Some(group) = groups.next_group() {
        let written = claim_group(backend, claimant, group).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(Claim::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn claim_group<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let new = distinct(executions);
    let mut ours = match claim_rows(backend, claimant, &new).await {
        Err(error @ StoreError::Locked { .. }) => claim_free(backend, claimant, &new, error).await?,
        claimed => claimed?,
    };
    let others: Vec<Uuid> = new.iter().map(|new| new.id).filter(|id| !ours.contains_key(id)).collect();
    // What was claimed stays claimed, though this answer cannot be given.
    let others = statuses(&standings(backend, &others).await.map_err(StoreError::after_commit)?);
    // The same id twice is one claim: the first place gets it.
    let answer = |execution: &Arc<NewExecution>| match ours.remove(&execution.id) {
        Some(claimed) => Claim::Claimed(claimed),
        None => Claim::Elsewhere(others.get(&execution.id).copied().unwrap_or(Status::Running)),
    };
    Ok(executions.iter().map(answer).collect())
}

async fn claim_rows<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    new: &[&Arc<NewExecution>],
) -> Result<TakenRows> {
    let mut session = backend.begin(Purpose::Claim, Extent::OneStatement).await?;
    let ours = session.claim(claimant, new).await?;
    session.commit().await?;
    Ok(ours)
}

/// Claims without the rows that somebody has locked. These are there already, so whoever polls claims them when their
/// locks go. Where no row is locked it is the error.
async fn claim_free<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    new: &[&Arc<NewExecution>],
    error: StoreError,
) -> Result<TakenRows> {
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    let locked = locked_rows(backend, &ids).await?;
    let free: Vec<_> = new.iter().copied().filter(|new| !locked.contains(&new.id)).collect();
    if locked.is_empty() {
        Err(error)
    } else if free.is_empty() {
        Ok(HashMap::new())
    } else {
        claim_rows(backend, claimant, &free).await
    }
}
