//! Keeping rows ours while they run.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::execution::Attempt;
use crate::store::decide;
use crate::store::rows::EventRowIn;
use crate::store::session::{Backend, Extent, Purpose, Session};
use crate::store::{Claimant, NewEvent, Renewal, Result, Verdict};

/// See [`crate::store::Store::renew`].
pub(in crate::store) async fn renew<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    held: &[Attempt],
) -> Result<Renewal> {
    let mut session = backend.begin(Purpose::Renew(*claimant), Extent::Several).await?;
    let renewed = if held.is_empty() { Vec::new() } else { session.renew(claimant, held).await? };
    let cancel_requested = renewed.iter().filter(|(_, requested)| *requested).map(|(attempt, _)| *attempt);
    let mut renewal = Renewal { cancel_requested: cancel_requested.collect(), ..Renewal::default() };

    let renewed: HashSet<Attempt> = renewed.iter().map(|(attempt, _)| *attempt).collect();
    let missing: Vec<Attempt> = held.iter().copied().filter(|attempt| !renewed.contains(attempt)).collect();
    renewal.superseded = superseded(&mut session, claimant.owner, &missing).await?;
    renewal.strays = session.strays(claimant, held).await?;
    session.commit().await?;
    Ok(renewal)
}

/// Those that somebody else owns now. The others among what was not renewed we have ended ourselves, or are
/// being written at this moment.
async fn superseded<S: Session>(session: &mut S, owner: Uuid, missing: &[Attempt]) -> Result<Vec<Attempt>> {
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = missing.iter().map(|attempt| attempt.execution_id).collect();
    let rows = session.standing(&ids).await?;
    let lost = |attempt: &Attempt| {
        let row = rows.iter().find(|row| row.attempt.execution_id == attempt.execution_id);
        decide::standing(*attempt, owner, row) == Some(Verdict::Superseded)
    };
    Ok(missing.iter().copied().filter(lost).collect())
}

/// See [`crate::store::Store::record_started`].
pub(in crate::store) async fn record_started<B: Backend>(
    backend: &B,
    owner: Uuid,
    started: &[(Attempt, Timestamp)],
) -> Result<()> {
    if started.is_empty() {
        return Ok(());
    }
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    session.record_started(owner, started).await?;
    session.commit().await
}

/// See [`crate::store::Store::record_events`].
pub(in crate::store) async fn record_events<B: Backend>(
    backend: &B,
    owner: Uuid,
    events: &[(Attempt, NewEvent)],
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<EventRowIn<'_>> = events
        .iter()
        .map(|(attempt, event)| {
            EventRowIn::of(*attempt, Some(owner), &event.event).at(event.at).with(event.detail.as_deref())
        })
        .collect();
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    session.insert_fenced_events(&rows).await?;
    session.commit().await
}
