//! Making rows ours, from messages and from the poll.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{standings, statuses};
use crate::execution::Status;
use crate::store::batch::Groups;
use crate::store::decide::{distinct, end_instead_of_claim, finalized_detail};
use crate::store::rows::{EndedRow, EventRowIn, FailureColumns};
use crate::store::session::{Backend, Candidate, Extent, Purpose, Session};
use crate::store::{Claim, Claimant, Due, NewExecution, Outcome, Result, StoreError, TakeOver};

/// See [`crate::store::Store::claim`].
pub(in crate::store) async fn claim<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let mut groups = Groups::of(executions);
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
    let mut session = backend.begin(Purpose::Claim, Extent::OneStatement).await?;
    let mut ours = session.claim(claimant, &new).await?;
    session.commit().await?;
    let others: Vec<Uuid> = new.iter().map(|new| new.id).filter(|id| !ours.contains_key(id)).collect();
    let others = match standings(backend, &others).await {
        Ok(others) => statuses(&others),
        // What was claimed stays claimed, though this answer cannot be given.
        Err(StoreError::Unreachable { backend, message }) => {
            return Err(StoreError::CommitUnknown { backend, message });
        }
        Err(error) => return Err(error),
    };
    // The same id twice is one claim: the first place gets it.
    let answer = |execution: &Arc<NewExecution>| match ours.remove(&execution.id) {
        Some(claimed) => Claim::Claimed(claimed),
        None => Claim::Elsewhere(others.get(&execution.id).copied().unwrap_or(Status::Running)),
    };
    Ok(executions.iter().map(answer).collect())
}

/// See [`crate::store::Store::claim_due`].
pub(in crate::store) async fn claim_due<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    limit: usize,
    take_over: TakeOver<'_>,
) -> Result<Due> {
    if limit == 0 {
        return Ok(Due::default());
    }
    let mut session = backend.begin(Purpose::Claim, Extent::Several).await?;
    let candidates = session.candidates(claimant, limit, take_over).await?;
    let lost: Vec<_> = candidates.iter().filter_map(lost_event).collect();
    if !lost.is_empty() {
        session.insert_events(&lost).await?;
    }
    let mut wanted = Vec::new();
    let mut over = Vec::new();
    for candidate in &candidates {
        match end_instead_of_claim(candidate.budget) {
            Some(outcome) => over.push((candidate, outcome)),
            None => wanted.push(candidate.attempt.execution_id),
        }
    }
    end(&mut session, claimant, &over).await?;
    let mut ours = if wanted.is_empty() { HashMap::new() } else { session.take(claimant, &wanted).await? };
    session.commit().await?;
    let ended = over.iter().map(|(row, outcome)| (row.attempt.execution_id, outcome.status())).collect();
    Ok(Due { claimed: wanted.iter().filter_map(|id| ours.remove(id)).collect(), ended })
}

fn lost_event(candidate: &Candidate) -> Option<EventRowIn<'static>> {
    candidate.previous_owner.map(|owner| EventRowIn::of(candidate.attempt, Some(owner), "lost"))
}

async fn end<S: Session>(session: &mut S, claimant: &Claimant, over: &[(&Candidate, Outcome)]) -> Result<()> {
    if over.is_empty() {
        return Ok(());
    }
    let row = |(candidate, outcome): &'_ (&Candidate, Outcome)| EventRowIn {
        detail: Some(finalized_detail(outcome)),
        ..EventRowIn::of(candidate.attempt, Some(claimant.owner), "finalized")
    };
    let events: Vec<EventRowIn<'static>> = over.iter().map(row).collect();
    let rows: Vec<_> = over
        .iter()
        .map(|(candidate, outcome)| EndedRow {
            id: candidate.attempt.execution_id,
            status: outcome.status().as_str(),
            failure: FailureColumns::of(outcome.failure()),
        })
        .collect();
    session.end_unclaimed(claimant.owner, &rows).await?;
    session.insert_events(&events).await
}
