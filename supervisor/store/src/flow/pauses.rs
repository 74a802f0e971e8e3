//! Pauses: what is not to start now, and what may start again.
//!
//! Whoever pauses writes one row. Every process reads them about twice a second, and nothing is claimed before they were
//! read once. What a claim meets that is paused it takes out of the claim; that is right by itself, and all else is there
//! so that claims meet little of it: rows that are submitted meanwhile stand outside from the beginning, and those that
//! waited before are taken out by whoever hears of the pause. What was taken out and is not paused any more is let go by
//! all, again and again, and by what the table says: a process that has not heard yet of either can do no lasting harm.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::again;
use super::tending::{DirtyLimits, tend_changed};
use crate::limits::admission::WaitsFor;
use crate::limits::behind;
use crate::limits::session::LimitSession as _;
use crate::pauses::{NotedChange, PAUSES, PauseSession as _, PauseSubject, Pauses, REASONS_MAX, SubjectRow};
use crate::session::{Backend, Candidate, Extent, Purpose, StoreSession};
use crate::{Cursor, NewExecution, PauseRecord, PauseStore, PauseTarget, Result, StoreError};

/// So many rows are taken out or let go in one transaction: others write between two of them.
const ROWS_AT_ONCE: usize = 500;
/// So many transactions at most let go what is resumed, and then others look.
const LET_GO_TURNS: usize = 20;

#[async_trait]
impl<B: Backend> PauseStore for B {
    async fn pauses(&self) -> Result<Arc<Pauses>> {
        again(B::PLANS_MAX, || learn(self)).await
    }

    fn known_pauses(&self) -> Arc<Pauses> {
        self.pause_book().now().unwrap_or_default()
    }

    fn pauses_keeping(&self, new: &NewExecution) -> Vec<PauseRecord> {
        let pauses = self.known_pauses();
        if pauses.is_empty() {
            return Vec::new();
        }
        let workflows = self.workflow_book().now().unwrap_or_default();
        let subject = PauseSubject { queue: workflows.queue_of(new), ..PauseSubject::of(new) };
        pauses.keeping(subject).cloned().collect()
    }

    async fn pause(&self, target: &PauseTarget, who: &str, why: Option<&str>) -> Result<PauseRecord> {
        again(B::PLANS_MAX, || pause(self, target, who, why)).await
    }

    async fn resume(&self, target: &PauseTarget, who: &str) -> Result<bool> {
        again(B::PLANS_MAX, || resume(self, target, who)).await
    }

    fn newly_paused(&self) -> Vec<PauseTarget> {
        self.pause_book().to_park()
    }

    async fn park_paused(&self, target: &PauseTarget, behind: Option<Cursor>) -> Result<Option<Cursor>> {
        again(B::PLANS_MAX, || park_paused(self, target, behind)).await
    }

    async fn let_go_resumed(&self) -> Result<usize> {
        again(B::PLANS_MAX, || let_go_resumed(self, LET_GO_TURNS)).await
    }
}

/// What is paused, as far as this process knows; it is read when it was never read.
pub(super) async fn known_pauses<B: Backend>(backend: &B) -> Result<Arc<Pauses>> {
    match backend.pause_book().now() {
        Some(pauses) => Ok(pauses),
        None => learn(backend).await,
    }
}

async fn learn<B: Backend>(backend: &B) -> Result<Arc<Pauses>> {
    let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
    let records = session.all_pauses().await?;
    session.commit().await?;
    if backend.pause_book().replace(Pauses::of(records)) {
        backend.wake_here();
    }
    Ok(backend.pause_book().now().unwrap_or_default())
}

/// What is kept of a pause among the changes.
#[derive(Serialize)]
struct NotedPause<'a> {
    who: &'a str,
    why: Option<&'a str>,
    since: Timestamp,
}

fn noted(record: &PauseRecord) -> String {
    let PauseRecord { who, why, since, .. } = record;
    // Texts and a moment have no way to fail.
    serde_json::to_string(&NotedPause { who, why: why.as_deref(), since: *since }).unwrap_or_default()
}

fn of_pause<'a>(
    who: &'a str,
    name: &'a str,
    before: Option<&'a str>,
    after: Option<&'a str>,
) -> NotedChange<'a> {
    NotedChange { who, kind: "pause", name, organization: None, before, after }
}

async fn pause<B: Backend>(
    backend: &B,
    target: &PauseTarget,
    who: &str,
    why: Option<&str>,
) -> Result<PauseRecord> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let of_target = |records: Vec<PauseRecord>| records.into_iter().find(|pause| pause.target == *target);
    let before = of_target(session.all_pauses().await?);
    session.put_pause(target, who, why).await?;
    let after = of_target(session.all_pauses().await?).ok_or_else(|| StoreError::Failed {
        backend: "store",
        message: format!("{target} was resumed at the same moment; try again"),
    })?;
    let (name, before, now) = (after.called(), before.as_ref().map(noted), noted(&after));
    session.note_change(&of_pause(who, &name, before.as_deref(), Some(&now))).await?;
    session.commit().await?;
    learn(backend).await?;
    Ok(after)
}

async fn resume<B: Backend>(backend: &B, target: &PauseTarget, who: &str) -> Result<bool> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let Some(before) = session.all_pauses().await?.into_iter().find(|pause| pause.target == *target) else {
        session.commit().await?;
        return Ok(false);
    };
    session.remove_pause(target).await?;
    session.note_change(&of_pause(who, &before.called(), Some(&noted(&before)), None)).await?;
    session.wake().await?;
    session.commit().await?;
    learn(backend).await?;
    // Nobody is to wait for the next look; the rest of what is very much is let go by that.
    if let Err(error) = let_go_resumed(backend, 1).await {
        tracing::debug!(%error, %target, "what was resumed is let go with the next look");
    }
    Ok(true)
}

/// Behind no row.
fn beginning() -> Cursor {
    Cursor {
        created_at: Timestamp::from_second(-62_135_596_800).unwrap_or(Timestamp::UNIX_EPOCH),
        id: Uuid::nil(),
    }
}

async fn park_paused<B: Backend>(
    backend: &B,
    target: &PauseTarget,
    behind: Option<Cursor>,
) -> Result<Option<Cursor>> {
    let is_paused = backend.pause_book().now().is_some_and(|pauses| pauses.holds(target));
    if !is_paused || !target.parks() {
        return Ok(None);
    }
    let behind = behind.unwrap_or_else(beginning);
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let rows = session.waiting_rows_of(target, behind, ROWS_AT_ONCE).await?;
    session.commit().await?;
    let Some(last) = rows.last().copied() else { return Ok(None) };
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let parked = session.park_for_pause(&ids, &WaitsFor::Pause(target.clone())).await?;
    session.commit().await?;
    // Others may have the place of one that was let go.
    let mut dirty = DirtyLimits::default();
    parked.iter().for_each(|limits| dirty.add(None, limits));
    tend_changed(backend, dirty).await;
    Ok((rows.len() == ROWS_AT_ONCE).then_some(last))
}

async fn let_go_resumed<B: Backend>(backend: &B, turns: usize) -> Result<usize> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let (mut reasons, mut from) = (Vec::new(), Some(PAUSES.0.to_owned()));
    while let Some(place) = from {
        let page = session.waited_for_between(&place, PAUSES.1, REASONS_MAX).await?;
        from = behind(&page, REASONS_MAX);
        reasons.extend(page);
    }
    let paused = if reasons.is_empty() { Vec::new() } else { session.all_pauses().await? };
    session.commit().await?;
    let is_paused = |target: &PauseTarget| paused.iter().any(|pause| pause.target == *target);
    let mut let_go = 0;
    for reason in reasons.iter().filter_map(|reason| WaitsFor::parse(reason)) {
        if matches!(&reason, WaitsFor::Pause(target) if is_paused(target)) {
            continue;
        }
        for _ in 0..turns {
            let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
            let count = session.unpark(&reason, ROWS_AT_ONCE).await?;
            if count > 0 {
                session.wake().await?;
            }
            session.commit().await?;
            let_go += count;
            if count < ROWS_AT_ONCE {
                break;
            }
        }
    }
    Ok(let_go)
}

/// The pauses by which rows are put outside of the claim: as the table has them at this moment, once it seems that any is.
/// What was put there by a pause that ended, of which this process has not heard, would stand there until it is let go.
pub(super) async fn pauses_before_parking<S: StoreSession>(session: &mut S) -> Result<Pauses> {
    Ok(Pauses::of(session.all_pauses().await?))
}

/// What a claim found that is paused.
#[derive(Debug, Default)]
pub(super) struct HeldBack {
    ids: Vec<Uuid>,
    parked: Vec<(Uuid, WaitsFor)>,
    /// Their supervisors have lost these.
    lost: Vec<(Uuid, Option<WaitsFor>)>,
    /// Room in limits that others may have.
    pub(super) dirty: DirtyLimits,
}

impl HeldBack {
    fn by(pauses: &Pauses, asked: &[&Candidate], subjects: &[SubjectRow]) -> Self {
        let subjects: HashMap<Uuid, &SubjectRow> = subjects.iter().map(|row| (row.id, row)).collect();
        let mut held = Self::default();
        for row in asked {
            let id = row.attempt.execution_id;
            let Some(subject) = subjects.get(&id).map(|row| row.subject()) else { continue };
            let waits_for = pauses.parking(subject).cloned().map(WaitsFor::Pause);
            match (row.previous_owner, waits_for) {
                (None, None) => continue,
                (None, Some(waits_for)) => {
                    held.parked.push((id, waits_for));
                    held.dirty.add(None, &row.limits);
                }
                (Some(_), waits_for) => {
                    if pauses.keeping(subject).next().is_none() {
                        continue;
                    }
                    held.lost.push((id, waits_for));
                    held.dirty.add(Some(id), &row.limits);
                }
            }
            held.ids.push(id);
        }
        held
    }

    /// Whether this candidate is not to start.
    pub(super) fn holds(&self, row: &Candidate) -> bool {
        self.ids.contains(&row.attempt.execution_id)
    }

    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }
}

/// Takes what is paused out of the claim. What its supervisor has lost does not start again either: it waits from now on.
pub(super) async fn hold_back<S: StoreSession>(
    session: &mut S,
    pauses: &Pauses,
    candidates: &[&Candidate],
) -> Result<HeldBack> {
    // A queue that is paused is not claimed from, but what was lost may be of any.
    let may_be_paused = |row: &Candidate| pauses.parks() || row.previous_owner.is_some();
    let asked: Vec<&Candidate> = candidates.iter().copied().filter(|row| may_be_paused(row)).collect();
    if pauses.is_empty() || asked.is_empty() {
        return Ok(HeldBack::default());
    }
    let ids: Vec<Uuid> = asked.iter().map(|row| row.attempt.execution_id).collect();
    let subjects = session.subjects(&ids).await?;
    if HeldBack::by(pauses, &asked, &subjects).count() == 0 {
        return Ok(HeldBack::default());
    }
    let held = HeldBack::by(&pauses_before_parking(session).await?, &asked, &subjects);
    if !held.parked.is_empty() {
        session.park(&held.parked).await?;
    }
    if !held.lost.is_empty() {
        session.set_down(&held.lost).await?;
    }
    Ok(held)
}
