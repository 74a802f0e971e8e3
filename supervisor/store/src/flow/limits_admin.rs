//! Limits for whoever sets them, asks about them, and puts them right.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::Status;
use muster_core::limit::LimitTerms;
use uuid::Uuid;

use super::again;
use super::definitions::{declare, follow, known_workflows};
use super::limits::names;
use super::tending::{DirtyLimits, tend};
use crate::limits::admission::{LimitCounts, WaitsFor};
use crate::limits::session::{Holder, LimitSession as _, LockPatience};
use crate::limits::{
    Displaced, HeldLimit, KeySource, LimitRecord, LimitStore, LimitSweep, LimitUse, LimitWait, WorkflowTerms,
    behind,
};
use crate::session::{Backend, Extent, Purpose, StoreSession};
use crate::{ExecutionRecord, Result};

/// So many things a sweep looks at; the next goes on.
const SWEEP_MAX: usize = 10_000;
/// So many of those that run in a limit are named.
const NAMED_MAX: usize = 5;
/// The text after all that begin with `limit:`.
const AFTER_LIMITS: &str = "limit;";
/// The text after all that begin with `rate:`.
const AFTER_RATES: &str = "rate;";

#[async_trait]
impl<B: Backend> LimitStore for B {
    async fn limits(&self) -> Result<Vec<LimitRecord>> {
        again(B::PLANS_MAX, || all(self)).await
    }

    async fn limit(&self, name: &str) -> Result<Option<LimitRecord>> {
        again(B::PLANS_MAX, || named(self, name)).await
    }

    async fn set_limit(&self, name: &str, terms: &LimitTerms) -> Result<LimitRecord> {
        again(B::PLANS_MAX, || set_limit(self, name, terms)).await
    }

    async fn declare_workflows(&self, declared: &[(String, WorkflowTerms)]) -> Result<()> {
        again(B::PLANS_MAX, || declare(self, declared)).await
    }

    async fn follow_workflows(&self) -> Result<()> {
        again(B::PLANS_MAX, || follow(self)).await
    }

    async fn remove_limit(&self, name: &str) -> Result<bool> {
        again(B::PLANS_MAX, || remove_limit(self, name)).await
    }

    async fn limit_uses(&self) -> Result<Vec<LimitUse>> {
        again(B::PLANS_MAX, || uses(self)).await
    }

    async fn limit_wait(&self, record: &ExecutionRecord) -> Result<Option<LimitWait>> {
        let parked = record.waits_for.as_deref().and_then(WaitsFor::parse);
        let parked = parked.filter(|parked| parked.held().is_some());
        if record.status != Status::Pending {
            return Ok(None);
        }
        // As the claim that meets it would.
        let late = known_workflows(self).await?.late_held(KeySource::of_record(record), &record.limits);
        let limits: Vec<HeldLimit> = record.limits.iter().cloned().chain(late).collect();
        if parked.is_none() && limits.is_empty() {
            return Ok(None);
        }
        again(B::PLANS_MAX, || limit_wait(self, record.id, &limits, parked.as_ref())).await
    }

    async fn open_rates(&self) -> Result<Option<Duration>> {
        again(B::PLANS_MAX, || open_rates(self)).await
    }

    async fn rate_waited_for(&self) {
        self.rate_waker().notified().await;
    }

    async fn displaced(&self) -> Vec<Displaced> {
        Backend::displaced(self).next().await
    }

    async fn sweep_limits(&self) -> Result<LimitSweep> {
        again(B::PLANS_MAX, || sweep(self)).await
    }
}

async fn all<B: Backend>(backend: &B) -> Result<Vec<LimitRecord>> {
    let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
    let limits = session.all_limits().await?;
    session.commit().await?;
    Ok(limits)
}

async fn named<B: Backend>(backend: &B, name: &str) -> Result<Option<LimitRecord>> {
    let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
    let mut limits = session.limits_named(&[name]).await?;
    session.commit().await?;
    Ok(limits.pop())
}

async fn uses<B: Backend>(backend: &B) -> Result<Vec<LimitUse>> {
    let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
    let uses = session.limit_uses().await?;
    session.commit().await?;
    Ok(uses)
}

async fn set_limit<B: Backend>(backend: &B, name: &str, terms: &LimitTerms) -> Result<LimitRecord> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let limit = session.set_limit(name, terms, "set").await?;
    session.lock_limits(&[name], LockPatience::Long).await?;
    session.commit().await?;
    tend_waiters(backend, name).await?;
    Ok(limit)
}

async fn remove_limit<B: Backend>(backend: &B, name: &str) -> Result<bool> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let removed = session.remove_limit(name).await?;
    session.lock_limits(&[name], LockPatience::Long).await?;
    session.commit().await?;
    tend_waiters(backend, name).await?;
    Ok(removed)
}

/// So many keys are let go in one transaction.
const RATES_AT_ONCE: usize = 100;
/// So often one looks for more before others have their turn.
const RATE_LOOKS: u32 = 20;

async fn open_rates<B: Backend>(backend: &B) -> Result<Option<Duration>> {
    for _ in 0..RATE_LOOKS {
        let mut session = backend.begin(Purpose::Read, Extent::OneStatement).await?;
        let wait_us = session.next_rate().await?;
        session.commit().await?;
        match wait_us {
            None => return Ok(None),
            Some(wait_us) if wait_us > 0 => {
                return Ok(Some(Duration::from_micros(wait_us.unsigned_abs())));
            }
            Some(_) => {}
        }
        let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
        let due = session.due_rates(RATES_AT_ONCE).await?;
        session.commit().await?;
        let mut dirty = DirtyLimits::default();
        dirty.add(None, &due);
        if !dirty.is_empty() {
            tend(backend, &dirty, LockPatience::Long).await?;
        }
    }
    Ok(Some(Duration::ZERO))
}

/// Lets go what waits for a limit, whatever its key, as far as there is room.
pub(super) async fn tend_waiters<B: Backend>(backend: &B, name: &str) -> Result<()> {
    for kind in ["limit", "rate"] {
        let mut from = Some(format!("{kind}:{name}"));
        while let Some(place) = from {
            from = tend_page(backend, &place, &format!("{kind}:{name};")).await?.next;
        }
    }
    Ok(())
}

/// The same for some of all that waits for something that begins like this: each time it goes on where it ended.
async fn sweep_waiters<B: Backend>(backend: &B, beginning: &'static str, to: &str) -> Result<usize> {
    let from = backend.sweep_places().take(beginning);
    let TendedPage { let_go, next } = tend_page(backend, &from, to).await?;
    if let Some(next) = next {
        backend.sweep_places().go_on(beginning, next);
    }
    Ok(let_go)
}

/// What came of a look at some of those who wait.
struct TendedPage {
    let_go: usize,
    /// Where there is more to look at.
    next: Option<String>,
}

/// Lets go what waits for something from one text on to before another, as far as there is room; it looks at so many of these.
async fn tend_page<B: Backend>(backend: &B, from: &str, to: &str) -> Result<TendedPage> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let reasons = session.waited_for_between(from, to, SWEEP_MAX).await?;
    let next = behind(&reasons, SWEEP_MAX);
    let waits: Vec<WaitsFor> = reasons.iter().filter_map(|reason| WaitsFor::parse(reason)).collect();
    let held: BTreeSet<HeldLimit> = waits.iter().filter_map(WaitsFor::held).collect();
    let held: Vec<HeldLimit> = held.into_iter().collect();
    // Without a lock: what has room by this count is counted again before it is let go.
    let fills = if held.is_empty() { Vec::new() } else { session.limit_fills(&held).await? };
    let counts = LimitCounts::of(fills);
    session.commit().await?;
    let mut dirty = DirtyLimits::default();
    let is_due = |waits_for: &&WaitsFor| counts.room(waits_for) > 0 || counts.is_to_be_noted(waits_for);
    for waits_for in waits.iter().filter(is_due) {
        dirty.add(None, waits_for.held().as_slice());
    }
    let let_go = if dirty.is_empty() { 0 } else { tend(backend, &dirty, LockPatience::Long).await? };
    Ok(TendedPage { let_go, next })
}

/// What the next claim would find: what it waits for already if that is still full, else the first of its limits that is.
/// A row that no claim has looked at yet is told the same as one that one has.
async fn limit_wait<B: Backend>(
    backend: &B,
    id: Uuid,
    limits: &[HeldLimit],
    parked: Option<&WaitsFor>,
) -> Result<Option<LimitWait>> {
    let held: BTreeSet<HeldLimit> = limits.iter().cloned().chain(parked.and_then(WaitsFor::held)).collect();
    let held: Vec<HeldLimit> = held.into_iter().collect();
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let counts = LimitCounts::of(session.limit_fills(&held).await?);
    let full = parked.filter(|parked| counts.room(parked) == 0).cloned();
    let full = full.or_else(|| counts.full(limits));
    let Some((waits_for, held)) = full.as_ref().or(parked).and_then(|waits| Some((waits, waits.held()?)))
    else {
        session.commit().await?;
        return Ok(None);
    };
    let key = match waits_for {
        WaitsFor::Limit(_) | WaitsFor::Pause(_) => None,
        WaitsFor::Key(held) | WaitsFor::Rate(held) => Some(held.key.clone()),
    };
    let rate = match waits_for {
        WaitsFor::Rate(held) if full.is_some() => counts.rate(held),
        WaitsFor::Rate(_) | WaitsFor::Limit(_) | WaitsFor::Key(_) | WaitsFor::Pause(_) => None,
    };
    let opens_at = rate.and_then(|rate| Timestamp::from_microsecond(rate.opens_at_us()).ok());
    let holders = session.holders_of(&held.name, key.as_deref(), NAMED_MAX).await?;
    let before = session.before_at_limit(id, waits_for).await?;
    session.commit().await?;
    let (most, running) = counts.standing(waits_for);
    let most = most.filter(|_| full.is_some());
    Ok(Some(LimitWait { name: held.name, key, most, running, holders, before, opens_at }))
}

/// See [`LimitStore::sweep_limits`]. Without locks it only finds; what it finds is looked at again under them.
async fn sweep<B: Backend>(backend: &B) -> Result<LimitSweep> {
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let left = session.left_holders(SWEEP_MAX).await?;
    let unnoted = session.unnoted_holders(SWEEP_MAX).await?;
    session.commit().await?;
    if !unnoted.is_empty() {
        note(backend, &unnoted).await?;
    }
    let mut dirty = DirtyLimits::default();
    for (id, held) in &left {
        dirty.add(Some(*id), std::slice::from_ref(held));
    }
    if !dirty.is_empty() {
        tend(backend, &dirty, LockPatience::Long).await?;
    }
    let let_go = sweep_waiters(backend, "limit:", AFTER_LIMITS).await?
        + sweep_waiters(backend, "rate:", AFTER_RATES).await?;
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    session.forget_rates(SWEEP_MAX).await?;
    session.commit().await?;
    Ok(LimitSweep { struck: left.len(), noted: unnoted.len(), let_go })
}

/// Notes those that run and are not counted, if they do so still.
async fn note<B: Backend>(backend: &B, unnoted: &[Holder]) -> Result<()> {
    let held: BTreeSet<HeldLimit> = unnoted.iter().map(|(_, held)| held.clone()).collect();
    let held: Vec<HeldLimit> = held.into_iter().collect();
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    session.lock_limits(&names(&held), LockPatience::Long).await?;
    session.hold(unnoted).await?;
    let ids: Vec<Uuid> = unnoted.iter().map(|(id, _)| *id).collect();
    session.release(&ids).await?;
    session.commit().await
}
