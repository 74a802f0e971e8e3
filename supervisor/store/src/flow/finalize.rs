//! The outcomes of attempts, several in one transaction.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::Attempt;
use uuid::Uuid;

use super::entry::{EnteredRows, enter_rows};
use super::tending::{DirtyLimits, tend_changed};
use super::{again, standings};
use crate::batch::InsertGroups;
use crate::concede::concessions;
use crate::decide::{FoundRow, SettledRow, closing_event, current_state, decide_row, distinct, last_writes};
use crate::finalized_event::finalized_detail_with;
use crate::limits::session::LockPatience;
use crate::rows::{BackRow, EndingRow, EventRowIn, FailureColumns, Fence, LogRowIn, StateRow, micros};
use crate::session::{Backend, Extent, Purpose, StoreSession, WrittenAttempts};
use crate::{
    Finalization, FinalizeResult, NewExecution, OutcomeStore, Result, StateChange, StateWrite, StoreError,
};

/// Whoever polls looks at least this often.
const POLLED_EVERY: Duration = Duration::from_secs(1);

#[async_trait]
impl<B: Backend> OutcomeStore for B {
    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>> {
        again(B::PLANS_MAX, || finalize(self, finalizations)).await
    }

    async fn locked(&self, finalizations: &[Finalization]) -> Result<Vec<Attempt>> {
        again(B::PLANS_MAX, || locked(self, finalizations)).await
    }
}

async fn finalize<B: Backend>(backend: &B, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>> {
    match finalize_all(backend, finalizations).await {
        Err(StoreError::Locked { backend: name, message, .. }) => {
            let attempts = locked(backend, finalizations).await.unwrap_or_default();
            Err(StoreError::Locked { backend: name, attempts, message })
        }
        answer => answer,
    }
}

async fn locked<B: Backend>(backend: &B, finalizations: &[Finalization]) -> Result<Vec<Attempt>> {
    if finalizations.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let ids: Vec<Uuid> = finalizations.iter().map(|outcome| outcome.attempt.execution_id).collect();
    let rows = session.locked(&ids).await?;
    let changes = finalizations.iter().flat_map(|outcome| &outcome.changes);
    let keys: Vec<_> = changes.map(|change| (change.organization_id, change.key.as_str())).collect();
    let entries = if keys.is_empty() { HashSet::new() } else { session.locked_state(&keys).await? };
    session.commit().await?;
    let is_entry = |change: &StateChange| entries.contains(&(change.organization_id, change.key.clone()));
    let is_locked = |outcome: &&Finalization| {
        rows.contains(&outcome.attempt.execution_id) || outcome.changes.iter().any(is_entry)
    };
    Ok(finalizations.iter().filter(is_locked).map(|outcome| outcome.attempt).collect())
}

async fn finalize_all<B: Backend>(
    backend: &B,
    finalizations: &[Finalization],
) -> Result<Vec<FinalizeResult>> {
    let mut groups = InsertGroups::of(finalizations);
    while let Some(group) = groups.next_group() {
        let written = finalize_group(backend, group).await;
        if let Some((offender, error)) = groups.written(group, written)? {
            groups.answer(concede(backend, offender, error).await?);
        }
    }
    Ok(groups.into_answers())
}

/// Writes as much of a refused outcome as the database takes.
async fn concede<B: Backend>(
    backend: &B,
    refused: &Finalization,
    mut error: StoreError,
) -> Result<FinalizeResult> {
    for lesser in concessions(refused, &error.to_string()) {
        match finalize_group(backend, std::slice::from_ref(&lesser)).await {
            Err(refusal @ StoreError::Refused { .. }) => error = refusal,
            answered => {
                let attempt = refused.attempt;
                tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, %error, "a part of an outcome was refused and left out; its log says which");
                return Ok(answered?.into_iter().next().unwrap_or(FinalizeResult::Superseded));
            }
        }
    }
    Err(error)
}

/// A finalization and what becomes of its row; `None` when there is no row to send back.
type EndingPair<'a> = (&'a Finalization, Option<SettledRow<'a>>);

/// The attempts that the fence let through. By attempt and not by execution: one that was superseded may be written
/// in the same group as the one that superseded it.
struct FencedWrites {
    over: WrittenAttempts,
    back: WrittenAttempts,
}

impl FencedWrites {
    fn let_through(&self, (finalization, settled): &EndingPair<'_>) -> bool {
        match settled {
            Some(SettledRow::Terminal(_)) => self.over.contains_key(&finalization.attempt),
            Some(SettledRow::Requeue { .. }) => self.back.contains_key(&finalization.attempt),
            None => false,
        }
    }

    /// The limits that have room now.
    fn left_limits(&self) -> DirtyLimits {
        let mut dirty = DirtyLimits::default();
        for (attempt, limits) in self.over.iter().chain(&self.back) {
            dirty.add(Some(attempt.execution_id), limits);
        }
        dirty
    }
}

/// The fenced writes come first; everything else is written for those they let through, and for nobody else.
async fn finalize_group<B: Backend>(
    backend: &B,
    finalizations: &[Finalization],
) -> Result<Vec<FinalizeResult>> {
    let extent = if finalizations.iter().all(is_plain) { Extent::OneStatement } else { Extent::Several };
    let mut session = backend.begin(Purpose::Write, extent).await?;
    let endings = settle_all(&mut session, finalizations).await?;
    let mut written = FencedWrites {
        over: finish(&mut session, &endings, backend.publishes_with_commit()).await?,
        back: WrittenAttempts::new(),
    };
    let mut children = EnteredRows::default();
    if extent == Extent::Several {
        written.back = requeue(&mut session, &endings).await?;
        let won: Vec<_> = endings.iter().filter(|ending| written.let_through(ending)).collect();
        children = write_consequences(&mut session, backend, &won).await?;
    }
    session.commit().await?;
    if endings.iter().any(|ending| is_due_soon(ending) && written.let_through(ending)) {
        backend.wake_here();
    }
    children.committed(backend).await;
    tend_changed(backend, written.left_limits()).await;
    let lost = endings.iter().filter(|ending| !written.let_through(ending));
    let lost: Vec<Uuid> = lost.map(|(finalization, _)| finalization.attempt.execution_id).collect();
    let found = standings(backend, &lost).await?;
    Ok(endings.iter().map(|ending| verdict(ending, &written, &found)).collect())
}

/// True for an outcome that brings nothing but logs and events, as almost all do: one statement writes it.
fn is_plain(finalization: &Finalization) -> bool {
    finalization.disposition.status().is_terminal()
        && finalization.changes.is_empty()
        && finalization.children.is_empty()
}

fn verdict(ending: &EndingPair<'_>, written: &FencedWrites, found: &[FoundRow]) -> FinalizeResult {
    let (finalization, settled) = ending;
    let attempt = finalization.attempt;
    match settled {
        Some(settled) if written.let_through(ending) => settled.verdict(),
        Some(_) | None => {
            let row = found.iter().find(|row| row.attempt.execution_id == attempt.execution_id);
            current_state(attempt, finalization.owner, row).unwrap_or(FinalizeResult::Superseded)
        }
    }
}

/// Decides what becomes of each row. An outcome needs nothing from the database; what would go back needs the
/// budget and the cancel request of its row, which is locked from here on.
async fn settle_all<'a, S: StoreSession>(
    session: &mut S,
    finalizations: &'a [Finalization],
) -> Result<Vec<EndingPair<'a>>> {
    let goes_back = |finalization: &&Finalization| !finalization.disposition.status().is_terminal();
    let fences: Vec<Fence> = finalizations.iter().filter(goes_back).map(Fence::of).collect();
    let budgets = if fences.is_empty() { HashMap::new() } else { session.budgets(&fences).await? };
    let settled = |finalization: &'a Finalization| {
        (finalization, decide_row(&finalization.disposition, budgets.get(&finalization.attempt)))
    };
    Ok(finalizations.iter().map(settled).collect())
}

/// Ends what is over; gives the attempts written.
async fn finish<S: StoreSession>(
    session: &mut S,
    endings: &[EndingPair<'_>],
    is_published: bool,
) -> Result<WrittenAttempts> {
    let over: Vec<&EndingPair<'_>> =
        endings.iter().filter(|(_, settled)| is_over(settled.as_ref())).collect();
    if over.is_empty() {
        return Ok(WrittenAttempts::new());
    }
    let rows: Vec<EndingRow<'_>> =
        over.iter().filter_map(|ending| ending_row(ending, is_published)).collect();
    session.finish(&rows, &lines(&over), &events(&over)).await
}

/// Sends back what is to be run again; gives the attempts written.
async fn requeue<S: StoreSession>(session: &mut S, endings: &[EndingPair<'_>]) -> Result<WrittenAttempts> {
    let rows: Vec<BackRow> = endings.iter().filter_map(back_row).collect();
    if rows.is_empty() {
        return Ok(WrittenAttempts::new());
    }
    let written = session.requeue(&rows).await?;
    let back = |(finalization, settled): &&EndingPair<'_>| {
        !is_over(settled.as_ref()) && written.contains_key(&finalization.attempt)
    };
    let back: Vec<&EndingPair<'_>> = endings.iter().filter(back).collect();
    let (lines, events) = (lines(&back), events(&back));
    if !lines.is_empty() {
        session.insert_logs(&lines).await?;
    }
    if !events.is_empty() {
        session.insert_events(&events).await?;
    }
    Ok(written)
}

fn is_over(settled: Option<&SettledRow<'_>>) -> bool {
    matches!(settled, Some(SettledRow::Terminal(_)))
}

fn ending_row<'a>((finalization, settled): &'a EndingPair<'_>, is_published: bool) -> Option<EndingRow<'a>> {
    let Some(SettledRow::Terminal(outcome)) = settled else { return None };
    Some(EndingRow {
        fence: Fence::of(finalization),
        status: outcome.status().as_str(),
        result: outcome.result().map(|result| result.get()),
        failure: FailureColumns::of(outcome.failure()),
        duration_ms: finalization.duration_ms,
        metrics: finalization.metrics.as_ref().map(|metrics| metrics.get()),
        end_cause: finalization.end_cause.as_ref().map(|cause| cause.get()),
        started_at: finalization.started_at,
        completed_at: finalization.completed_at,
        is_published,
    })
}

/// True for a row that goes back and is due before a poll that nobody wakes would look for it.
fn is_due_soon((_, settled): &EndingPair<'_>) -> bool {
    match settled {
        Some(SettledRow::Requeue { delay, .. }) => *delay < POLLED_EVERY,
        Some(SettledRow::Terminal(_)) | None => false,
    }
}

fn back_row((finalization, settled): &EndingPair<'_>) -> Option<BackRow> {
    let Some(SettledRow::Requeue { delay, refund, max_attempts, elsewhere, .. }) = settled else {
        return None;
    };
    Some(BackRow {
        fence: Fence::of(finalization),
        refund: u8::from(*refund),
        max_attempts: *max_attempts,
        delay_us: micros(*delay),
        elsewhere: *elsewhere,
    })
}

fn lines<'a>(endings: &[&EndingPair<'a>]) -> Vec<LogRowIn<'a>> {
    let of = |(finalization, _): &&EndingPair<'a>| {
        let attempt = finalization.attempt;
        finalization.logs.iter().map(move |line| LogRowIn::of(attempt, line))
    };
    endings.iter().flat_map(of).collect()
}

/// What happened to each, and last that it ended.
fn events<'a>(endings: &[&EndingPair<'a>]) -> Vec<EventRowIn<'a>> {
    let mut events = Vec::with_capacity(endings.len());
    for (finalization, settled) in endings {
        let Some(settled) = settled else { continue };
        let row = |event| EventRowIn::of(finalization.attempt, Some(finalization.owner), event);
        let closing =
            |event, detail| EventRowIn { detail: Some(detail), ..row(event).at(finalization.completed_at) };
        if let Some(detail) = folded_detail(finalization, settled) {
            events.push(closing("finalized", detail));
            continue;
        }
        let before = finalization.events.iter();
        events.extend(before.map(|event| row(&event.event).at(event.at).with(event.detail.as_deref())));
        let (event, detail) = closing_event(settled);
        events.push(closing(event, detail));
    }
    events
}

/// All that happened to a plain run, in one detail.
fn folded_detail(finalization: &Finalization, settled: &SettledRow<'_>) -> Option<Cow<'static, str>> {
    match settled {
        SettledRow::Terminal(outcome) => finalized_detail_with(outcome, &finalization.events),
        SettledRow::Requeue { .. } => None,
    }
}

/// What terminal rows bring with them: writes to state, and children.
async fn write_consequences<B: Backend>(
    session: &mut B::Session,
    backend: &B,
    won: &[&EndingPair<'_>],
) -> Result<EnteredRows> {
    let over: Vec<&Finalization> = won
        .iter()
        .filter(|(_, settled)| is_over(settled.as_ref()))
        .map(|(finalization, _)| *finalization)
        .collect();
    let (mut set, mut deleted) = (Vec::new(), Vec::new());
    for ((organization_id, key), (write, updated_by)) in last_writes(&over) {
        match write {
            StateWrite::Set(value) => {
                set.push(StateRow { organization_id, key, value: Some(value.get()), updated_by });
            }
            StateWrite::Delete => deleted.push(StateRow { organization_id, key, value: None, updated_by }),
        }
    }
    if !set.is_empty() {
        session.set_state(&set).await?;
    }
    if !deleted.is_empty() {
        session.delete_state(&deleted).await?;
    }
    let children: Vec<&NewExecution> = over.iter().flat_map(|finalization| &finalization.children).collect();
    let mut entered = EnteredRows::default();
    let children: Vec<&NewExecution> = distinct(&children).into_iter().copied().collect();
    if !children.is_empty() {
        entered = enter_rows(session, backend, &children, LockPatience::Short).await?;
    }
    let waits_at_once =
        |(_, settled): &&&EndingPair<'_>| settled.as_ref().is_some_and(SettledRow::waits_at_once);
    if !children.is_empty() || won.iter().any(|ending| waits_at_once(&ending)) {
        session.wake().await?;
    }
    Ok(entered)
}
