//! Limits: who must wait for room, and who is let go when there is some.
//!
//! Three steps, each a transaction that is right by itself. A claim locks the limits of what it finds, counts, and takes
//! what has room; the rest it takes out of the claim. An outcome is written without a look at limits, so that nothing
//! about them can hold it up. What tends limits, after an outcome and whatever else makes room, strikes who no longer runs
//! and lets go as many as there is room for: these are claimed like any other, and counted once more there. A crash
//! between two steps leaves too many struck too late, never too few counted; the sweep finds them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::entry::strict_limits;
use crate::limits::admission::{LimitCounts, WaitsFor};
use crate::limits::rate::RateState;
use crate::limits::session::{LimitSession as _, RateTimes};
use crate::limits::{HeldLimit, KeySource, KnownWorkflows, key_of};
use crate::pauses::{PauseSubject, Pauses};
use crate::session::{Backend, Candidate, Extent, Purpose, StoreSession};
use crate::{NewExecution, Result, StoreError};

/// An execution as its row is written.
#[derive(Debug)]
pub(crate) struct PendingRow<'a> {
    pub(crate) execution: &'a NewExecution,
    /// The queue it waits in.
    pub(crate) queue: Option<Cow<'a, str>>,
    pub(crate) limits: Vec<HeldLimit>,
    pub(crate) waits_for: Option<WaitsFor>,
    /// The names of those of its limits in which it counts from the start.
    pub(crate) strict: Vec<String>,
}

/// Looks up what each of these counts by. Where others wait already it stands behind them from the start, so that a flood
/// of rows behind one full limit is never looked at by a claim; and so does what is paused.
pub(super) async fn pending_rows<'a, B: Backend>(
    session: &mut B::Session,
    backend: &B,
    workflows: &KnownWorkflows,
    new: &[&'a NewExecution],
) -> Result<Vec<PendingRow<'a>>> {
    let pauses = backend.pause_book().now().unwrap_or_default();
    let asked: Vec<Vec<String>> = new.iter().map(|new| workflows.limits_of(new)).collect();
    let queue = |new: &'a NewExecution| match (new.queue.as_deref(), workflows.queue_of(new)) {
        (Some(stated), Some(queue)) if stated == queue => Some(Cow::Borrowed(stated)),
        (_, queue) => queue.map(|queue| Cow::Owned(queue.to_owned())),
    };
    let names: BTreeSet<&str> = asked.iter().flatten().map(String::as_str).collect();
    if names.is_empty() {
        let plain = |new: &&'a NewExecution| PendingRow {
            execution: new,
            queue: queue(new),
            limits: Vec::new(),
            waits_for: waits_for_resume(&pauses, new),
            strict: Vec::new(),
        };
        return Ok(new.iter().map(plain).collect());
    }
    let names: Vec<&str> = names.into_iter().collect();
    let records = session.limits_named(&names).await?;
    let terms: HashMap<&str, _> = records.iter().map(|limit| (limit.name.as_str(), &limit.terms)).collect();
    let default = crate::LimitKey::default();
    let mut rows = Vec::with_capacity(new.len());
    for (execution, asked) in new.iter().zip(&asked) {
        let held = |name: &String| HeldLimit {
            name: name.clone(),
            key: key_of(
                terms.get(name.as_str()).map_or(&default, |terms| &terms.key),
                KeySource::of(execution),
            ),
        };
        let limits: BTreeSet<HeldLimit> = asked.iter().map(held).collect();
        let limits: Vec<HeldLimit> = limits.into_iter().collect();
        let strict = strict_limits(&limits, &terms);
        rows.push(PendingRow { execution, queue: queue(execution), limits, waits_for: None, strict });
    }
    let asked: BTreeSet<WaitsFor> = rows.iter().flat_map(|row| reasons(&row.limits)).collect();
    let waited_for = session.waited_for(&asked.into_iter().collect::<Vec<_>>()).await?;
    for row in &mut rows {
        row.waits_for = waits_for_resume(&pauses, row.execution);
        if row.waits_for.is_none() && row.execution.delay.is_zero() && row.execution.run_at.is_none() {
            row.waits_for = reasons(&row.limits).find(|reason| waited_for.contains(&reason.to_string()));
        }
    }
    Ok(rows)
}

fn waits_for_resume(pauses: &Pauses, new: &NewExecution) -> Option<WaitsFor> {
    pauses.parking(PauseSubject::of(new)).cloned().map(WaitsFor::Pause)
}

/// All that somebody with these limits may have to wait for.
fn reasons(limits: &[HeldLimit]) -> impl Iterator<Item = WaitsFor> {
    limits.iter().flat_map(|held| {
        [WaitsFor::Key(held.clone()), WaitsFor::Limit(held.name.clone()), WaitsFor::Rate(held.clone())]
    })
}

/// What a claim found out about rows with limits.
#[derive(Debug, Default)]
pub(super) struct AdmittedRows {
    /// These may start. What has no limits is not among them.
    pub(super) admitted: HashSet<Uuid>,
    /// These wait from now on.
    pub(super) parked: usize,
    /// Room that was kept for those that wait from now on for something else.
    pub(super) dirty: DirtyLimits,
    /// Somebody decides about their limits at this moment: look again.
    pub(super) passed_over: usize,
    /// These were lost, and wait now: their rates let none start.
    pub(super) set_down: HashSet<Uuid>,
    /// Somebody waits for a rate.
    pub(super) waits_for_rate: bool,
}

impl AdmittedRows {
    /// Whether this candidate may start.
    pub(super) fn may_start(&self, row: &Candidate) -> bool {
        row.limits.is_empty() || self.admitted.contains(&row.attempt.execution_id)
    }
}

/// Decides about those of the candidates that have limits, in their order, and takes out of the claim what has to wait.
pub(super) async fn admit<S: StoreSession>(
    session: &mut S,
    candidates: &[&Candidate],
    most: usize,
) -> Result<AdmittedRows> {
    let is_limited = |row: &Candidate| !row.limits.is_empty();
    let limited: Vec<&Candidate> = candidates.iter().copied().filter(|row| is_limited(row)).collect();
    if limited.is_empty() {
        return Ok(AdmittedRows::default());
    }
    session.mark().await?;
    let held = distinct_limits(limited.iter().flat_map(|candidate| &candidate.limits));
    match session.lock_limits(&names(&held)).await {
        Ok(()) => {}
        Err(StoreError::Locked { .. }) => {
            session.back_to_mark().await?;
            return Ok(AdmittedRows { passed_over: limited.len(), ..AdmittedRows::default() });
        }
        Err(error) => return Err(error),
    }
    let mut counts = LimitCounts::of(session.limit_fills(&held).await?);
    let (mut found, mut parked, mut lost) = (AdmittedRows::default(), Vec::new(), Vec::new());
    let mut taken = 0;
    for candidate in candidates {
        if !is_limited(candidate) {
            taken += 1;
            continue;
        }
        let id = candidate.attempt.execution_id;
        if candidate.previous_owner.is_some() {
            // It is in its limits already, but to take it over is a start.
            if taken >= most {
                continue;
            }
            match counts.admit_again(&candidate.limits) {
                None => {
                    taken += 1;
                    found.admitted.insert(id);
                }
                Some(waits_for) => {
                    found.dirty.add(Some(id), &candidate.limits);
                    found.set_down.insert(id);
                    lost.push((id, Some(waits_for)));
                }
            }
            continue;
        }
        let full =
            if taken < most { counts.admit(&candidate.limits) } else { counts.full(&candidate.limits) };
        match full {
            None => {
                taken += 1;
                found.admitted.insert(id);
            }
            Some(waits_for) => {
                found.dirty.add(None, &candidate.limits);
                parked.push((id, waits_for));
            }
        }
    }
    if !parked.is_empty() {
        session.park(&parked).await?;
    }
    if !lost.is_empty() {
        session.set_down(&lost).await?;
    }
    let waiting = parked.iter().map(|(_, waits_for)| waits_for);
    let waiting = waiting.chain(lost.iter().filter_map(|(_, waits_for)| waits_for.as_ref()));
    let waited_for: HashSet<HeldLimit> = waiting
        .filter_map(|waits_for| match waits_for {
            WaitsFor::Rate(held) => Some(held.clone()),
            WaitsFor::Limit(_) | WaitsFor::Key(_) | WaitsFor::Pause(_) => None,
        })
        .collect();
    found.waits_for_rate = !waited_for.is_empty();
    let rates: Vec<(HeldLimit, RateTimes)> = (held.into_iter())
        .filter_map(|held| {
            let rate = counts.rate(&held)?;
            let wake_at_us = waited_for.contains(&held).then(|| rate.opens_at_us());
            Some((held, RateTimes { next_at_us: rate.next_at_us(), wake_at_us }))
        })
        .collect();
    if !rates.is_empty() {
        session.put_rates(&rates, false).await?;
    }
    found.parked = parked.len();
    Ok(found)
}

/// Limits in which something has changed, and who may have left them.
#[derive(Debug, Default)]
pub(super) struct DirtyLimits {
    left: Vec<Uuid>,
    limits: BTreeSet<HeldLimit>,
}

impl DirtyLimits {
    /// Notes that somebody with these limits left them, or that others may have room there.
    pub(super) fn add(&mut self, left: Option<Uuid>, limits: &[HeldLimit]) {
        if !limits.is_empty() {
            self.left.extend(left);
            self.limits.extend(limits.iter().cloned());
        }
    }

    /// Of rows that were just inserted: whoever one stands behind may have gone meanwhile.
    pub(super) fn waited_behind(rows: &[PendingRow<'_>]) -> Self {
        let mut dirty = Self::default();
        rows.iter().filter(|row| row.waits_for.is_some()).for_each(|row| dirty.add(None, &row.limits));
        dirty
    }

    /// Takes what another noted.
    pub(super) fn append(&mut self, mut other: Self) {
        self.left.append(&mut other.left);
        self.limits.append(&mut other.limits);
    }

    /// Nothing to be tended.
    pub(super) fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }
}

/// Tends what has changed. What cannot be done now is found by the sweep.
pub(super) async fn tend_changed<B: Backend>(backend: &B, dirty: DirtyLimits) {
    if dirty.is_empty() {
        return;
    }
    if let Err(error) = tend(backend, &dirty).await {
        tracing::debug!(%error, "limits were not tended; the next sweep does it");
    }
}

/// Strikes who has left, and lets go as many as there is room for; gives how many.
pub(super) async fn tend<B: Backend>(backend: &B, dirty: &DirtyLimits) -> Result<usize> {
    let held: Vec<HeldLimit> = dirty.limits.iter().cloned().collect();
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    session.lock_limits(&names(&held)).await?;
    if !dirty.left.is_empty() {
        session.release(&dirty.left).await?;
    }
    let counts = LimitCounts::of(session.limit_fills(&held).await?);
    let asked: BTreeSet<WaitsFor> = reasons(&held).collect();
    let room: Vec<(WaitsFor, u32)> = asked
        .into_iter()
        .map(|waits_for| (counts.room(&waits_for), waits_for))
        .filter(|(room, _)| *room > 0)
        .map(|(room, waits_for)| (waits_for, room))
        .collect();
    let gone = if room.is_empty() { 0 } else { session.let_go(&room).await? };
    let waits_for_rate = wake_rates(&mut session, &counts, &held).await?;
    if gone > 0 {
        session.wake().await?;
    }
    session.commit().await?;
    if waits_for_rate {
        backend.rate_waker().notify_one();
    }
    Ok(gone)
}

/// Notes when the next of those that wait for rates is to be let go; true when somebody waits.
async fn wake_rates<S: StoreSession>(
    session: &mut S,
    counts: &LimitCounts,
    held: &[HeldLimit],
) -> Result<bool> {
    let rated: Vec<(&HeldLimit, RateState)> =
        held.iter().filter_map(|held| Some((held, counts.rate(held)?))).collect();
    if rated.is_empty() {
        return Ok(false);
    }
    let asked: Vec<WaitsFor> = rated.iter().map(|(held, _)| WaitsFor::Rate((*held).clone())).collect();
    let waited_for = session.waited_for(&asked).await?;
    let rates: Vec<(HeldLimit, RateTimes)> = (rated.into_iter().zip(&asked))
        .map(|((held, rate), asked)| {
            // After those that were let go just now, which have not started yet.
            let mut after = rate;
            (0..rate.room()).for_each(|_| after.start());
            let wakes = waited_for.contains(&asked.to_string());
            let wake_at_us = wakes.then(|| after.opens_at_us());
            (held.clone(), RateTimes { next_at_us: rate.next_at_us(), wake_at_us })
        })
        .collect();
    session.put_rates(&rates, true).await?;
    Ok(rates.iter().any(|(_, times)| times.wake_at_us.is_some()))
}

/// Each once, in the order of their names.
fn distinct_limits<'a>(limits: impl Iterator<Item = &'a HeldLimit>) -> Vec<HeldLimit> {
    limits.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names, each once, in their order.
pub(super) fn names(held: &[HeldLimit]) -> Vec<&str> {
    let mut names: Vec<&str> = held.iter().map(|held| held.name.as_str()).collect();
    names.dedup();
    names
}
