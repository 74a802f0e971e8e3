//! Making rows ours, keeping them ours, and taking over what others lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::store_error;
use super::queue::{insert_events, standing};
use super::rows::{EndedRow, EventParameter, NewRow, array, budget, micros, record};
use super::{SqliteStore, commit, finalize, statements};
use crate::execution::{Attempt, Status};
use crate::store::batch::Groups;
use crate::store::columns::now;
use crate::store::decide::{self, distinct, end_instead_of_claim};
use crate::store::{
    Claim, Claimant, Claimed, Due, Finalization, NewEvent, NewExecution, Outcome, Renewal, Result, TakeOver,
    Verdict,
};

pub(super) async fn claim(
    store: &SqliteStore,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let mut groups = Groups::of(executions);
    while let Some(group) = groups.next_group() {
        let written = claim_group(store, claimant, group).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(Claim::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn claim_group(
    store: &SqliteStore,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let distinct = distinct(executions);
    let rows: Vec<NewRow<'_>> = distinct.iter().map(|execution| NewRow::of(execution)).collect();
    let mut transaction = store.begin().await?;
    let now = now().as_microsecond();
    let claimed = sqlx::query(statements::CLAIM)
        .bind(array(&rows)?)
        .bind(claimant.owner.to_string())
        .bind(now)
        .bind(now + micros(claimant.lease))
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
    let mut ours = claimed_rows(&claimed)?;
    let missing: Vec<Uuid> =
        distinct.iter().map(|execution| execution.id).filter(|id| !ours.contains_key(id)).collect();
    let others: HashMap<Uuid, Status> = standing(&mut transaction, &missing)
        .await?
        .into_iter()
        .map(|found| (found.attempt.execution_id, found.status))
        .collect();
    insert_events(&mut transaction, &claimed_events(ours.values(), claimant.owner, now)).await?;
    commit(transaction).await?;
    // The same id twice is one claim: the first gets it.
    let answer = |execution: &Arc<NewExecution>| match ours.remove(&execution.id) {
        Some(claimed) => Claim::Claimed(claimed),
        None => Claim::Elsewhere(others.get(&execution.id).copied().unwrap_or(Status::Running)),
    };
    Ok(executions.iter().map(answer).collect())
}

fn claimed_rows(rows: &[SqliteRow]) -> Result<HashMap<Uuid, Claimed>> {
    let read = |row| {
        let claimed = record::claimed(row).map_err(store_error)?;
        Ok((claimed.attempt.execution_id, claimed))
    };
    rows.iter().map(read).collect()
}

fn claimed_events<'a>(
    claimed: impl Iterator<Item = &'a Claimed>,
    owner: Uuid,
    at: i64,
) -> Vec<EventParameter<'static>> {
    let event = |claimed: &Claimed| EventParameter {
        id: claimed.attempt.execution_id,
        at,
        event: "claimed",
        attempt: claimed.attempt.number,
        supervisor: Some(owner),
        detail: None,
    };
    claimed.map(event).collect()
}

pub(super) async fn claimed_by(store: &SqliteStore, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
    let rows = sqlx::query(statements::CLAIMED_BY)
        .bind(array(ids)?)
        .bind(owner.to_string())
        .fetch_all(&store.readers)
        .await
        .map_err(store_error)?;
    rows.iter().map(|row| record::claimed(row).map_err(store_error)).collect()
}

/// A row that a poll found.
struct Candidate {
    attempt: Attempt,
    previous_owner: Option<Uuid>,
    end: Option<Outcome>,
}

impl Candidate {
    fn of(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            attempt: record::attempt(row)?,
            previous_owner: record::id(row, "lease_owner")?,
            end: end_instead_of_claim(budget(row)?),
        })
    }
}

pub(super) async fn claim_due(
    store: &SqliteStore,
    claimant: &Claimant,
    limit: usize,
    take_over: TakeOver<'_>,
) -> Result<Due> {
    if limit == 0 {
        return Ok(Due::default());
    }
    let mut transaction = store.begin().await?;
    let now = now().as_microsecond();
    let candidates = candidates(store, &mut transaction, claimant, limit, take_over, now).await?;
    if candidates.is_empty() {
        return Ok(Due::default());
    }
    let (ended, wanted): (Vec<_>, Vec<_>) =
        candidates.iter().partition(|candidate: &&Candidate| candidate.end.is_some());
    let ids: Vec<Uuid> = wanted.iter().map(|candidate| candidate.attempt.execution_id).collect();
    let rows = sqlx::query(statements::TAKE)
        .bind(array(&ids)?)
        .bind(claimant.owner.to_string())
        .bind(now + micros(claimant.lease))
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
    let mut ours = claimed_rows(&rows)?;
    insert_events(&mut transaction, &lost_events(&candidates, now)).await?;
    let ended = end_unclaimed(&mut transaction, claimant.owner, &ended, now).await?;
    insert_events(&mut transaction, &claimed_events(ours.values(), claimant.owner, now)).await?;
    commit(transaction).await?;
    Ok(Due { claimed: ids.iter().filter_map(|id| ours.remove(id)).collect(), ended })
}

/// Lost rows first, then waiting ones in the order of the queue.
async fn candidates(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    claimant: &Claimant,
    limit: usize,
    take_over: TakeOver<'_>,
    now: i64,
) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let allowed = match take_over {
        TakeOver::Nothing => None,
        TakeOver::AllOthers => Some((None, None)),
        TakeOver::Lost { dead } => {
            // After a standstill of this machine owners get the chance to renew first.
            let in_contact = store.opened_at.elapsed() > claimant.lease;
            Some((in_contact.then_some(now), Some(array(dead)?)))
        }
    };
    if let Some((expired_until, dead)) = allowed {
        let rows = sqlx::query(statements::LOST)
            .bind(claimant.owner.to_string())
            .bind(expired_until)
            .bind(dead)
            .bind(limit)
            .fetch_all(&mut *connection)
            .await
            .map_err(store_error)?;
        found.extend(rows);
    }
    let rest = limit - i64::try_from(found.len()).unwrap_or(limit);
    let rows =
        sqlx::query(statements::DUE).bind(now).bind(rest).fetch_all(connection).await.map_err(store_error)?;
    found.extend(rows);
    found.iter().map(|row| Candidate::of(row).map_err(store_error)).collect()
}

async fn end_unclaimed(
    connection: &mut SqliteConnection,
    owner: Uuid,
    candidates: &[&Candidate],
    now: i64,
) -> Result<Vec<(Uuid, Status)>> {
    let mut rows = Vec::new();
    let mut events = Vec::new();
    let mut ended = Vec::new();
    for candidate in candidates {
        let Some(outcome) = &candidate.end else { continue };
        let id = candidate.attempt.execution_id;
        let failure = outcome.failure();
        rows.push(EndedRow {
            id,
            status: outcome.status().as_str(),
            error_type: failure.map(|failure| failure.error_type.as_str()),
            error_message: failure.map(|failure| failure.message.as_str()),
        });
        events.push(EventParameter {
            id,
            at: now,
            event: "finalized",
            attempt: candidate.attempt.number,
            supervisor: Some(owner),
            detail: Some(decide::finalized_detail(outcome)),
        });
        ended.push((id, outcome.status()));
    }
    if rows.is_empty() {
        return Ok(ended);
    }
    sqlx::query(statements::END_UNCLAIMED)
        .bind(array(&rows)?)
        .bind(owner.to_string())
        .bind(now)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    insert_events(connection, &events).await?;
    Ok(ended)
}

fn lost_events(candidates: &[Candidate], now: i64) -> Vec<EventParameter<'static>> {
    let event = |candidate: &Candidate| {
        let owner = candidate.previous_owner?;
        Some(EventParameter {
            id: candidate.attempt.execution_id,
            at: now,
            event: "lost",
            attempt: candidate.attempt.number,
            supervisor: Some(owner),
            detail: None,
        })
    };
    candidates.iter().filter_map(event).collect()
}

pub(super) async fn renew(store: &SqliteStore, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
    let mut transaction = store.begin().await?;
    let now = now().as_microsecond();
    let rows = sqlx::query(statements::RENEW)
        .bind(array(held)?)
        .bind(claimant.owner.to_string())
        .bind(now + micros(claimant.lease))
        .fetch_all(&mut *transaction)
        .await
        .map_err(store_error)?;
    let mut renewed = HashSet::new();
    let mut renewal = Renewal::default();
    for row in &rows {
        let attempt = record::attempt(row).map_err(store_error)?;
        renewed.insert(attempt);
        if row.try_get("cancel_requested").map_err(store_error)? {
            renewal.cancel_requested.push(attempt);
        }
    }
    let missing: Vec<Attempt> = held.iter().copied().filter(|attempt| !renewed.contains(attempt)).collect();
    renewal.superseded = superseded(&mut transaction, claimant.owner, &missing).await?;
    let strays = strays(&mut transaction, claimant, held, now).await?;
    commit(transaction).await?;
    renewal.released = release(store, claimant.owner, strays).await?;
    Ok(renewal)
}

/// Those among attempts that were not renewed that somebody else owns. The others we ended ourselves.
async fn superseded(
    connection: &mut SqliteConnection,
    owner: Uuid,
    missing: &[Attempt],
) -> Result<Vec<Attempt>> {
    let ids: Vec<Uuid> = missing.iter().map(|attempt| attempt.execution_id).collect();
    let found = standing(connection, &ids).await?;
    let lost = |attempt: &Attempt| {
        let row = found.iter().find(|found| found.attempt.execution_id == attempt.execution_id);
        decide::standing(*attempt, owner, row) == Some(Verdict::Superseded)
    };
    Ok(missing.iter().copied().filter(lost).collect())
}

async fn strays(
    connection: &mut SqliteConnection,
    claimant: &Claimant,
    held: &[Attempt],
    now: i64,
) -> Result<Vec<Attempt>> {
    let ids: Vec<Uuid> = held.iter().map(|attempt| attempt.execution_id).collect();
    let rows = sqlx::query(statements::STRAYS)
        .bind(array(&ids)?)
        .bind(claimant.owner.to_string())
        .bind(now + micros(claimant.lease / 3))
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(|row| record::attempt(row).map_err(store_error)).collect()
}

/// Gives strays back. Nobody ran them, so they are not charged.
async fn release(store: &SqliteStore, owner: Uuid, strays: Vec<Attempt>) -> Result<Vec<Attempt>> {
    let releases: Vec<Finalization> =
        strays.iter().map(|attempt| decide::stray_release(*attempt, owner, now())).collect();
    finalize::finalize(store, &releases).await?;
    Ok(strays)
}

pub(super) async fn record_started(
    store: &SqliteStore,
    owner: Uuid,
    started: &[(Attempt, Timestamp)],
) -> Result<()> {
    let rows: Vec<_> = started
        .iter()
        .map(|(attempt, at)| EventParameter {
            id: attempt.execution_id,
            at: at.as_microsecond(),
            event: "started",
            attempt: attempt.number,
            supervisor: Some(owner),
            detail: None,
        })
        .collect();
    sqlx::query(statements::RECORD_STARTED)
        .bind(array(&rows)?)
        .bind(owner.to_string())
        .execute(&store.writer)
        .await
        .map_err(store_error)?;
    Ok(())
}

pub(super) async fn record_events(
    store: &SqliteStore,
    owner: Uuid,
    events: &[(Attempt, NewEvent)],
) -> Result<()> {
    let rows: Vec<_> = events
        .iter()
        .map(|(attempt, event)| EventParameter {
            id: attempt.execution_id,
            at: event.at.as_microsecond(),
            event: &event.event,
            attempt: attempt.number,
            supervisor: Some(owner),
            detail: event.detail.as_ref().map(|detail| detail.get().into()),
        })
        .collect();
    sqlx::query(statements::INSERT_FENCED_EVENTS)
        .bind(array(&rows)?)
        .execute(&store.writer)
        .await
        .map_err(store_error)?;
    Ok(())
}
