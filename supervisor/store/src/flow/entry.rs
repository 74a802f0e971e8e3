//! New rows that wait, with what becomes of them and of others at limits that do not let wait. Under the locks of these
//! limits, and in the transaction that writes the rows: so whoever comes at the same moment sees who was let in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use muster_core::execution::Attempt;
use muster_core::limit::{LimitTerms, OnFull};
use muster_protocol::error_type;
use uuid::Uuid;

use super::limits::{PendingRow, pending_rows};
use super::room::MadeRoom;
use super::statuses;
use super::tending::{DirtyLimits, tend_changed};
use super::unclaimed::write_ended;
use crate::limits::HeldLimit;
use crate::limits::on_full::{FullLimit, LimitEntry, Newcomer};
use crate::limits::session::{Holder, LimitSession as _, LockPatience};
use crate::session::{Backend, StoreSession};
use crate::{ExecutionFailure, ExecutionOutcome, NewExecution, Result};

/// What became of new rows.
#[derive(Debug, Default)]
pub(super) struct EnteredRows {
    /// Those that were not there before.
    pub(super) inserted: HashSet<Uuid>,
    /// Those that were not written, since a limit is full.
    pub(super) refused: HashMap<Uuid, FullLimit>,
    /// What others may have room in now, after the commit.
    dirty: DirtyLimits,
    /// What became of others that were in their way.
    room: MadeRoom,
}

/// Writes rows that wait. After the commit [`EnteredRows::committed`] does what follows. So long it waits for limits that
/// others decide about.
pub(super) async fn enter_rows<B: Backend>(
    session: &mut B::Session,
    backend: &B,
    new: &[&NewExecution],
    patience: LockPatience,
) -> Result<EnteredRows> {
    let workflows = backend.workflow_book().now().unwrap_or_default();
    let rows = pending_rows(session, backend, &workflows, new).await?;
    if rows.is_empty() {
        return Ok(EnteredRows::default());
    }
    if rows.iter().all(|row| row.strict.is_empty()) {
        let inserted = session.insert_pending(&rows).await?;
        return Ok(EnteredRows {
            inserted,
            dirty: DirtyLimits::waited_behind(&rows),
            ..EnteredRows::default()
        });
    }
    let DecidedRows { rows, mut ended, refused, entry } = decide(session, rows, patience).await?;
    let inserted = if rows.is_empty() { HashSet::new() } else { session.insert_pending(&rows).await? };
    let mut entered =
        EnteredRows { refused, dirty: DirtyLimits::waited_behind(&rows), ..EnteredRows::default() };
    ended.retain(|id, _| inserted.contains(id));
    let holders: Vec<Holder> = (rows.iter())
        .filter(|row| inserted.contains(&row.execution.id) && !ended.contains_key(&row.execution.id))
        .flat_map(|row| row.limits.iter().map(|held| (row.execution.id, held.clone())))
        .filter(|(_, held)| entry.counts(held))
        .collect();
    if !holders.is_empty() {
        session.reserve(&holders).await?;
    }
    if !ended.is_empty() {
        end(session, &ended).await?;
        entered.room.note_over(ended.keys().copied());
    }
    entered.inserted = inserted;
    entered.room.displace(session, entry.into_displaced()).await?;
    Ok(entered)
}

/// What is to be written.
struct DecidedRows<'a> {
    rows: Vec<PendingRow<'a>>,
    /// They are written as what they are: over.
    ended: HashMap<Uuid, FullLimit>,
    refused: HashMap<Uuid, FullLimit>,
    entry: LimitEntry,
}

async fn decide<'a, S: StoreSession>(
    session: &mut S,
    rows: Vec<PendingRow<'a>>,
    patience: LockPatience,
) -> Result<DecidedRows<'a>> {
    let names: Vec<String> = {
        let names: HashSet<&String> = rows.iter().flat_map(|row| &row.strict).collect();
        names.into_iter().cloned().collect()
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let held: Vec<&HeldLimit> = rows.iter().flat_map(|row| &row.limits).collect();
    let mut entry = locked_entry(session, &names, &held, patience).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.execution.id).collect();
    // What is there already was let in then.
    let known = statuses(&session.current_state(&ids).await?);
    let (mut ended, mut refused) = (HashMap::new(), HashMap::new());
    for row in rows.iter().filter(|row| !row.strict.is_empty()) {
        let id = row.execution.id;
        if known.contains_key(&id) {
            continue;
        }
        if let Err(full) =
            entry.enter(Newcomer { id, organization_id: row.execution.organization_id }, &row.limits)
        {
            if row.execution.is_refusable {
                refused.insert(id, full)
            } else {
                ended.insert(id, full)
            };
        }
    }
    let rows = rows.into_iter().filter(|row| !refused.contains_key(&row.execution.id)).collect();
    Ok(DecidedRows { rows, ended, refused, entry })
}

/// Locks those of the limits of these that do not let wait, before anything else is. Whoever wants the same idempotency keys
/// must not wait for whoever waits for limits.
pub(super) async fn lock_strict_limits<B: Backend>(
    session: &mut B::Session,
    backend: &B,
    new: &[&NewExecution],
) -> Result<()> {
    let workflows = backend.workflow_book().now().unwrap_or_default();
    let names: BTreeSet<String> = new.iter().flat_map(|new| workflows.limits_of(new)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut limits = session.limits_named(&names).await?;
    limits.retain(|limit| limit.terms.on_full != OnFull::Wait);
    let strict: Vec<&str> = limits.iter().map(|limit| limit.name.as_str()).collect();
    if strict.is_empty() { Ok(()) } else { session.lock_limits(&strict, LockPatience::First).await }
}

/// Locks limits, and finds who is in those that do not let wait, for these.
pub(super) async fn locked_entry<S: StoreSession>(
    session: &mut S,
    names: &[&str],
    held: &[&HeldLimit],
    patience: LockPatience,
) -> Result<LimitEntry> {
    session.lock_limits(names, patience).await?;
    // What they say may have changed until they were locked.
    let terms = session.limits_named(names).await?;
    let terms: BTreeMap<String, LimitTerms> =
        terms.into_iter().map(|limit| (limit.name, limit.terms)).collect();
    let (mut whole, mut keyed) = (HashSet::new(), HashSet::new());
    for held in held {
        match terms.get(&held.name) {
            Some(terms) if terms.on_full == OnFull::Wait => {}
            Some(terms) if terms.total.is_some() => drop(whole.insert(held.name.as_str())),
            Some(_) => drop(keyed.insert((*held).clone())),
            None => {}
        }
    }
    let (whole, keyed) = (Vec::from_iter(whole), Vec::from_iter(keyed));
    let entrants = session.entrants(&whole, &keyed).await?;
    Ok(LimitEntry::of(terms, entrants))
}

/// Ends rows that were written just now and are not let in.
async fn end<S: StoreSession>(session: &mut S, ended: &HashMap<Uuid, FullLimit>) -> Result<()> {
    let outcome = |full: &FullLimit| {
        ExecutionOutcome::Failed(ExecutionFailure::new(error_type::LIMIT_REACHED, full.to_string()))
    };
    let outcomes: Vec<(Attempt, ExecutionOutcome)> =
        ended.iter().map(|(id, full)| (Attempt::new(*id, 0), outcome(full))).collect();
    let over: Vec<_> = outcomes.iter().map(|(attempt, outcome)| (*attempt, outcome)).collect();
    write_ended(session, None, &over).await
}

impl EnteredRows {
    /// Nothing changed but the rows themselves.
    pub(super) fn is_plain(&self) -> bool {
        self.dirty.is_empty() && self.room.is_empty()
    }

    /// Does what follows once it is committed.
    pub(super) async fn committed<B: Backend>(mut self, backend: &B) {
        if self.is_plain() {
            return;
        }
        self.dirty.append(self.room.committed(backend).await);
        tend_changed(backend, self.dirty).await;
    }
}

/// The limits that a row with these is counted in from the start.
pub(super) fn strict_limits(limits: &[HeldLimit], terms: &HashMap<&str, &LimitTerms>) -> Vec<String> {
    let is_strict =
        |held: &&HeldLimit| terms.get(held.name.as_str()).is_some_and(|terms| terms.on_full != OnFull::Wait);
    limits.iter().filter(is_strict).map(|held| held.name.clone()).collect()
}
