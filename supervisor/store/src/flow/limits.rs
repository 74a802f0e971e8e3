//! Limits: who must wait for room.
//!
//! Who is let go when there is some is in [`super::tending`]. In all these are three steps, each a transaction that is right by itself. A claim locks the limits of what it finds, counts, and takes
//! what has room; the rest it takes out of the claim. An outcome is written without a look at limits, so that nothing
//! about them can hold it up. What tends limits, after an outcome and whatever else makes room, strikes who no longer runs
//! and lets go as many as there is room for: these are claimed like any other, and counted once more there. A crash
//! between two steps leaves too many struck too late, never too few counted; the sweep finds them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::entry::strict_limits;
use super::pauses::pauses_before_parking;
use super::tending::DirtyLimits;
use crate::limits::admission::{LimitCounts, WaitsFor};
use crate::limits::session::{LimitSession as _, LockPatience, RateTimes};
use crate::limits::{HeldLimit, KeySource, KnownWorkflows, key_of};
use crate::pauses::{PauseSubject, Pauses};
use crate::session::{Backend, Candidate, StoreSession};
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
    let mut pauses = backend.pause_book().now().unwrap_or_default();
    if new.iter().any(|new| waits_for_resume(&pauses, new).is_some()) {
        pauses = Arc::new(pauses_before_parking(session).await?);
    }
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
    let default = muster_core::limit::LimitKey::default();
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
pub(super) fn reasons(limits: &[HeldLimit]) -> impl Iterator<Item = WaitsFor> {
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
    match session.lock_limits(&names(&held), LockPatience::Short).await {
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
