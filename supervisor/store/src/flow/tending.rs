//! Room that comes free: who has left is struck, and others are let go.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::limits::{PendingRow, names, reasons};
use crate::Result;
use crate::limits::HeldLimit;
use crate::limits::admission::{LimitCounts, WaitsFor};
use crate::limits::rate::RateState;
use crate::limits::session::{LimitSession as _, LockPatience, RateTimes};
use crate::session::{Backend, Extent, Purpose, StoreSession};

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

/// Tends what has changed. What cannot be done now is found by the sweep, which waits for the limits as long as it takes.
pub(super) async fn tend_changed<B: Backend>(backend: &B, dirty: DirtyLimits) {
    if dirty.is_empty() {
        return;
    }
    if let Err(error) = tend(backend, &dirty, LockPatience::Short).await {
        tracing::debug!(%error, "limits were not tended; the next sweep does it");
    }
}

/// Strikes who has left, and lets go as many as there is room for; gives how many.
pub(super) async fn tend<B: Backend>(
    backend: &B,
    dirty: &DirtyLimits,
    patience: LockPatience,
) -> Result<usize> {
    let held: Vec<HeldLimit> = dirty.limits.iter().cloned().collect();
    let mut session = backend.begin(Purpose::Tend, Extent::Several).await?;
    session.lock_limits(&names(&held), patience).await?;
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
