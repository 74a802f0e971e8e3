//! Keeping rows ours while they run.

use std::collections::HashSet;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use uuid::Uuid;

use super::locked_rows;
use crate::decide;
use crate::session::{Backend, Extent, Purpose, RenewedRow, StoreSession};
use crate::{Claimant, FinalizeResult, Renewal, RequestedCancel, Result, StoreError};

/// See [`crate::ClaimStore::renew`].
pub(super) async fn renew<B: Backend>(backend: &B, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
    // Two steps: what is free is renewed and committed at once, whoever holds another row.
    let mut session = backend.begin(Purpose::Renew { lease: claimant.lease }, Extent::Several).await?;
    let mut renewed = if held.is_empty() { Vec::new() } else { session.renew(claimant, held).await? };
    let missing = without(held, &renewed);
    let (superseded, locked) = why_missing(&mut session, claimant.owner, &missing).await?;
    let unheld = session.unheld_claims(claimant, held).await?;
    session.commit().await?;

    if !locked.is_empty() {
        renewed.extend(renew_locked(backend, claimant, &locked).await);
    }
    let unrenewed = without(&locked, &renewed);
    let cancel_requested = (renewed.into_iter())
        .filter(|row| row.cancel_requested)
        .map(|row| RequestedCancel { attempt: row.attempt, reason: row.cancel_reason })
        .collect();
    Ok(Renewal { cancel_requested, superseded, unheld, unrenewed })
}

/// Those that were not renewed.
fn without(held: &[Attempt], renewed: &[RenewedRow]) -> Vec<Attempt> {
    let renewed: HashSet<Attempt> = renewed.iter().map(|row| row.attempt).collect();
    held.iter().copied().filter(|attempt| !renewed.contains(attempt)).collect()
}

/// Renews rows that somebody had locked. Whoever only looks at one holds it for moments, so it is waited for. Where
/// one stays locked the others are renewed without it.
async fn renew_locked<B: Backend>(backend: &B, claimant: &Claimant, locked: &[Attempt]) -> Vec<RenewedRow> {
    let waited = async {
        let mut session = backend.begin(Purpose::Renew { lease: claimant.lease }, Extent::Several).await?;
        let renewed = session.renew_locked(claimant, locked).await?;
        session.commit().await.map(|()| renewed)
    };
    if let Ok(renewed) = waited.await {
        return renewed;
    }
    let passed_by = async {
        let mut session = backend.begin(Purpose::Renew { lease: claimant.lease }, Extent::Several).await?;
        let renewed = session.renew(claimant, locked).await?;
        session.commit().await.map(|()| renewed)
    };
    let renewed: Result<_> = passed_by.await;
    renewed.unwrap_or_default()
}

/// Those that somebody else owns now, and those that are ours and locked. The others among what was not renewed we
/// have ended ourselves.
async fn why_missing<S: StoreSession>(
    session: &mut S,
    owner: Uuid,
    missing: &[Attempt],
) -> Result<(Vec<Attempt>, Vec<Attempt>)> {
    let (mut superseded, mut locked) = (Vec::new(), Vec::new());
    if missing.is_empty() {
        return Ok((superseded, locked));
    }
    let ids: Vec<Uuid> = missing.iter().map(|attempt| attempt.execution_id).collect();
    let rows = session.current_state(&ids).await?;
    for attempt in missing {
        let row = rows.iter().find(|row| row.attempt.execution_id == attempt.execution_id);
        match decide::current_state(*attempt, owner, row) {
            Some(FinalizeResult::Superseded) => superseded.push(*attempt),
            None => locked.push(*attempt),
            Some(FinalizeResult::Finished { .. } | FinalizeResult::Requeued) => {}
        }
    }
    Ok((superseded, locked))
}

/// See [`crate::ClaimStore::record_started`].
pub(super) async fn record_started<B: Backend>(
    backend: &B,
    owner: Uuid,
    started: &[(Attempt, Timestamp)],
) -> Result<()> {
    if started.is_empty() {
        return Ok(());
    }
    match note_started(backend, owner, started).await {
        Err(StoreError::Locked { .. }) => {}
        noted => return noted,
    }
    // The outcome notes the start of a row that somebody has locked.
    let ids: Vec<Uuid> = started.iter().map(|(attempt, _)| attempt.execution_id).collect();
    let locked = locked_rows(backend, &ids).await?;
    let free = started.iter().copied().filter(|(attempt, _)| !locked.contains(&attempt.execution_id));
    let free: Vec<_> = free.collect();
    if free.is_empty() { Ok(()) } else { note_started(backend, owner, &free).await }
}

async fn note_started<B: Backend>(backend: &B, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    session.record_started(owner, started).await?;
    session.commit().await
}
