//! Rows that end without being claimed: those that expired, those that were lost once too often or are not wanted any more,
//! those that cannot be read back, and those that whoever brought them gives up.

use std::collections::HashMap;

use muster_core::execution::Attempt;
use muster_protocol::error_type;
use uuid::Uuid;

use super::tending::{DirtyLimits, tend_changed};
use crate::decide::end_instead_of_claim;
use crate::finalized_event::finalized_detail;
use crate::rows::{EndedRow, EventRowIn, FailureColumns};
use crate::session::{Backend, CancelledRow, Candidate, Extent, Purpose, StoreSession};
use crate::{Claimant, ExecutionFailure, ExecutionOutcome, Result, StoreError};

/// Ends what was to have started by now.
pub(super) async fn expire<B: Backend>(backend: &B, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>> {
    // Almost always there are none, and nobody is to be held up for that.
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let nothing = session.expired(1).await?.is_empty();
    session.commit().await?;
    if nothing {
        return Ok(Vec::new());
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let expired = session.expired(limit).await?;
    let over: Vec<_> = expired.iter().filter_map(|row| Some((row, end_instead_of_claim(row)?))).collect();
    end(&mut session, claimant, &over).await?;
    session.commit().await?;
    tend_changed(backend, left_by(&over)).await;
    Ok(over.iter().map(|(row, _)| row.attempt.execution_id).collect())
}

/// The limits that these were in, or were let go for.
pub(super) fn left_by(over: &[(&Candidate, ExecutionOutcome)]) -> DirtyLimits {
    let mut dirty = DirtyLimits::default();
    for (row, _) in over {
        dirty.add(Some(row.attempt.execution_id), &row.limits);
    }
    dirty
}

/// Ends a row that cannot be taken. One that cannot be ended either stays, and a person is told.
pub(super) async fn fail_refused<'a, S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    row: &'a Candidate,
    reason: &str,
) -> Result<Option<(&'a Candidate, ExecutionOutcome)>> {
    let message = format!("the execution cannot be read back from its row: {reason}");
    let over = [(row, ExecutionOutcome::Failed(ExecutionFailure::new(error_type::INVALID_REQUEST, message)))];
    session.mark().await?;
    match end(session, claimant, &over).await {
        Ok(()) => Ok(over.into_iter().next()),
        Err(error @ (StoreError::Refused { .. } | StoreError::Failed { .. })) => {
            session.back_to_mark().await?;
            let id = row.attempt.execution_id;
            tracing::error!(%id, %error, reason, "a row can neither be claimed nor ended; repair or delete it");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn lost_event(candidate: &Candidate) -> Option<EventRowIn<'static>> {
    candidate.previous_owner.map(|owner| EventRowIn::of(candidate.attempt, Some(owner), "lost"))
}

/// Ends rows that nobody runs any more.
pub(super) async fn end<S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    over: &[(&Candidate, ExecutionOutcome)],
) -> Result<()> {
    let over: Vec<_> = over.iter().map(|(candidate, outcome)| (candidate.attempt, outcome)).collect();
    write_ended(session, Some(claimant.owner), &over).await
}

/// Writes the ends of rows, with their events and whom to tell. Whoever ended them is their supervisor, if one did.
pub(super) async fn write_ended<S: StoreSession>(
    session: &mut S,
    supervisor: Option<Uuid>,
    over: &[(Attempt, &ExecutionOutcome)],
) -> Result<()> {
    if over.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = over
        .iter()
        .map(|(attempt, outcome)| EndedRow {
            id: attempt.execution_id,
            status: outcome.status().as_str(),
            failure: FailureColumns::of(outcome.failure()),
        })
        .collect();
    let event = |(attempt, outcome): &(Attempt, &ExecutionOutcome)| EventRowIn {
        detail: Some(finalized_detail(outcome)),
        ..EventRowIn::of(*attempt, supervisor, "finalized")
    };
    let events: Vec<EventRowIn<'static>> = over.iter().map(event).collect();
    session.end_unclaimed(supervisor, &rows).await?;
    session.insert_events(&events).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    session.note_webhooks(&ids).await
}

/// Ends rows that wait, each as is said of it.
pub(super) async fn give_up<B: Backend>(backend: &B, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()> {
    if given_up.is_empty() {
        return Ok(());
    }
    let outcomes: HashMap<Uuid, &ExecutionOutcome> =
        given_up.iter().map(|(id, outcome)| (*id, outcome)).collect();
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    // It locks those that wait; what is said of them follows in the same transaction.
    let waiting: Vec<(Uuid, String)> = outcomes.keys().map(|id| (*id, String::new())).collect();
    let (mut over, mut dirty) = (Vec::new(), DirtyLimits::default());
    for CancelledRow { row, limits, .. } in session.displace(&waiting, false).await? {
        let id = row.attempt.execution_id;
        let Some(outcome) = outcomes.get(&id) else { continue };
        over.push((row.attempt, *outcome));
        dirty.add(Some(id), &limits);
    }
    write_ended(&mut session, None, &over).await?;
    session.commit().await?;
    tend_changed(backend, dirty).await;
    Ok(())
}
