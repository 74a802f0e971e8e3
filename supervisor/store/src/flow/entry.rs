//! New rows that wait, with what becomes of them and of others at limits that do not let wait. Under the locks of these
//! limits, and in the transaction that writes the rows: so whoever comes at the same moment sees who was let in.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use muster_core::execution::Attempt;
use muster_protocol::error_type;
use uuid::Uuid;

use super::limits::{DirtyLimits, PendingRow, pending_rows, tend_changed};
use super::statuses;
use crate::decide::finalized_detail;
use crate::limits::on_full::{Displacement, FullLimit, LimitEntry};
use crate::limits::session::{Holder, LimitSession as _};
use crate::limits::{Displaced, HeldLimit, LimitTerms, OnFull};
use crate::rows::{EndedRow, EventRowIn, FailureColumns};
use crate::session::{Backend, CancelledRow, Extent, Purpose, StoreSession};
use crate::{ExecutionFailure, ExecutionOutcome, NewExecution, Result};

/// So often what somebody had locked is asked again, and so long after.
const DISPLACE_TRIES: u32 = 5;
const DISPLACE_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What became of new rows.
#[derive(Debug, Default)]
pub(super) struct EnteredRows {
    /// Those that were not there before.
    pub(super) inserted: HashSet<Uuid>,
    /// Those that were not written, since a limit is full.
    pub(super) refused: HashMap<Uuid, FullLimit>,
    /// What others may have room in now, after the commit.
    dirty: DirtyLimits,
    /// Whom to tell of, after the commit.
    displaced: Vec<Displaced>,
    /// Somebody had them locked.
    passed_over: Vec<Displacement>,
}

/// Writes rows that wait. After the commit [`EnteredRows::committed`] does what follows.
pub(super) async fn enter_rows<B: Backend>(
    session: &mut B::Session,
    backend: &B,
    new: &[&NewExecution],
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
    let DecidedRows { rows, mut ended, refused, entry } = decide(session, rows).await?;
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
        entered.displaced.extend(ended.keys().copied().map(Displaced::Over));
    }
    entered.inserted = inserted;
    displace(session, &entry.superseded, false, &mut entered).await?;
    displace(session, &entry.asked, true, &mut entered).await?;
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

async fn decide<'a, S: StoreSession>(session: &mut S, rows: Vec<PendingRow<'a>>) -> Result<DecidedRows<'a>> {
    let names: Vec<String> = {
        let names: HashSet<&String> = rows.iter().flat_map(|row| &row.strict).collect();
        names.into_iter().cloned().collect()
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    session.lock_limits(&names).await?;
    // What they say may have changed until they were locked.
    let terms = session.limits_named(&names).await?;
    let terms: BTreeMap<String, LimitTerms> =
        terms.into_iter().map(|limit| (limit.name, limit.terms)).collect();
    let (mut whole, mut keyed) = (HashSet::new(), HashSet::new());
    for held in rows.iter().flat_map(|row| &row.limits) {
        match terms.get(&held.name) {
            Some(terms) if terms.on_full == OnFull::Wait => {}
            Some(terms) if terms.total.is_some() => drop(whole.insert(held.name.as_str())),
            Some(_) => drop(keyed.insert(held.clone())),
            None => {}
        }
    }
    let (whole, keyed) = (Vec::from_iter(whole), Vec::from_iter(keyed));
    let entrants = session.entrants(&whole, &keyed).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.execution.id).collect();
    // What is there already was let in then.
    let known = statuses(&session.current_state(&ids).await?);
    let mut entry = LimitEntry::of(terms, entrants);
    let (mut ended, mut refused) = (HashMap::new(), HashMap::new());
    for row in rows.iter().filter(|row| !row.strict.is_empty()) {
        let id = row.execution.id;
        if known.contains_key(&id) {
            continue;
        }
        if let Err(full) = entry.enter(id, &row.limits) {
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

/// Ends rows that were written just now and are not let in.
async fn end<S: StoreSession>(session: &mut S, ended: &HashMap<Uuid, FullLimit>) -> Result<()> {
    let outcome = |full: &FullLimit| {
        ExecutionOutcome::Failed(ExecutionFailure::new(error_type::LIMIT_REACHED, full.to_string()))
    };
    let outcomes: Vec<(Uuid, ExecutionOutcome)> =
        ended.iter().map(|(id, full)| (*id, outcome(full))).collect();
    let rows: Vec<EndedRow<'_>> = (outcomes.iter())
        .map(|(id, outcome)| EndedRow {
            id: *id,
            status: outcome.status().as_str(),
            failure: FailureColumns::of(outcome.failure()),
        })
        .collect();
    session.end_unclaimed(None, &rows).await?;
    let events: Vec<EventRowIn<'_>> = (outcomes.iter())
        .map(|(id, outcome)| EventRowIn {
            detail: Some(finalized_detail(outcome)),
            ..EventRowIn::of(Attempt::new(*id, 0), None, "finalized")
        })
        .collect();
    session.insert_events(&events).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    session.note_webhooks(&ids).await
}

/// Cancels those that wait, and where it may asks those that run.
async fn displace<S: StoreSession>(
    session: &mut S,
    asked: &[Displacement],
    may_run: bool,
    entered: &mut EnteredRows,
) -> Result<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let rows: Vec<(Uuid, String)> = asked.iter().map(|one| (one.id, one.to_string())).collect();
    let (mut events, mut over) = (Vec::new(), Vec::new());
    let mut changed = HashSet::new();
    for CancelledRow { row, limits, .. } in session.displace(&rows, may_run).await? {
        let id = row.attempt.execution_id;
        changed.insert(id);
        match row.owner {
            Some(owner) if !row.status.is_terminal() => {
                events.push(EventRowIn::of(row.attempt, None, "cancel_requested"));
                entered.displaced.push(Displaced::Asked { attempt: row.attempt, owner });
            }
            Some(_) | None => {
                events.push(EventRowIn::of(row.attempt, None, "cancelled"));
                entered.displaced.push(Displaced::Over(id));
                over.push(id);
                entered.dirty.add(Some(id), &limits);
            }
        }
    }
    if !events.is_empty() {
        session.insert_events(&events).await?;
    }
    if !over.is_empty() {
        session.note_webhooks(&over).await?;
    }
    entered.passed_over.extend(
        asked
            .iter()
            .filter(|one| !changed.contains(&one.id))
            .cloned()
            .map(|displacement| Displacement { may_run, ..displacement }),
    );
    Ok(())
}

impl EnteredRows {
    /// Nothing changed but the rows themselves.
    pub(super) fn is_plain(&self) -> bool {
        self.dirty.is_empty() && self.displaced.is_empty() && self.passed_over.is_empty()
    }

    /// Does what follows once it is committed.
    pub(super) async fn committed<B: Backend>(mut self, backend: &B) {
        if self.is_plain() {
            return;
        }
        // A claim or a renewal has them in its hands, and is over in a moment.
        for _ in 0..DISPLACE_TRIES {
            let rest = std::mem::take(&mut self.passed_over);
            if rest.is_empty() {
                break;
            }
            tokio::time::sleep(DISPLACE_AGAIN_AFTER).await;
            if let Err(error) = self.displace_rest(backend, &rest).await {
                tracing::debug!(%error, "what waits was not replaced by what is newer");
            }
        }
        backend.displaced().note(std::mem::take(&mut self.displaced));
        tend_changed(backend, self.dirty).await;
    }

    async fn displace_rest<B: Backend>(&mut self, backend: &B, rest: &[Displacement]) -> Result<()> {
        let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
        let ids: Vec<Uuid> = rest.iter().map(|one| one.id).collect();
        let found = statuses(&session.current_state(&ids).await?);
        for may_run in [false, true] {
            let is_left = |one: &&Displacement| {
                one.may_run == may_run && found.get(&one.id).is_some_and(|status| !status.is_terminal())
            };
            let left: Vec<Displacement> = rest.iter().filter(is_left).cloned().collect();
            displace(&mut session, &left, may_run, self).await?;
        }
        session.commit().await
    }
}

/// The limits that a row with these is counted in from the start.
pub(super) fn strict_limits(limits: &[HeldLimit], terms: &HashMap<&str, &LimitTerms>) -> Vec<String> {
    let is_strict =
        |held: &&HeldLimit| terms.get(held.name.as_str()).is_some_and(|terms| terms.on_full != OnFull::Wait);
    limits.iter().filter(is_strict).map(|held| held.name.clone()).collect()
}
