//! Rows that wait, and rows that never will.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::error::store_error;
use super::rows::{EventParameter, NewRow, array, found, record};
use super::{SqliteStore, commit, statements};
use crate::execution::{Attempt, Status};
use crate::store::batch::Groups;
use crate::store::columns::now;
use crate::store::decide::{Found, distinct};
use crate::store::text::storable;
use crate::store::{CancelAnswer, Failure, NewExecution, QueueDepth, Result, Submitted};

pub(super) async fn submit(store: &SqliteStore, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
    let mut groups = Groups::of(executions);
    while let Some(group) = groups.next_group() {
        let written = submit_group(store, group).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(Submitted::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn submit_group(store: &SqliteStore, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
    let rows = distinct(executions);
    let mut transaction = store.begin().await?;
    let inserted = insert_pending(&mut transaction, &rows).await?;
    let ids: Vec<Uuid> =
        rows.iter().map(|execution| execution.id).filter(|id| !inserted.contains(id)).collect();
    let present = standing(&mut transaction, &ids).await?;
    commit(transaction).await?;
    store.wake.notify_one();
    let answer = |execution: &NewExecution| {
        if inserted.contains(&execution.id) {
            return Submitted::Inserted;
        }
        let row = present.iter().find(|found| found.attempt.execution_id == execution.id);
        Submitted::Exists(row.map_or(Status::Pending, |found| found.status))
    };
    Ok(executions.iter().map(answer).collect())
}

/// Inserts rows that wait; those that exist already stay as they are and are not among the answer.
pub(super) async fn insert_pending(
    connection: &mut SqliteConnection,
    executions: &[&NewExecution],
) -> Result<HashSet<Uuid>> {
    let rows: Vec<NewRow<'_>> = executions.iter().map(|execution| NewRow::of(execution)).collect();
    let inserted = sqlx::query(statements::SUBMIT)
        .bind(array(&rows)?)
        .bind(now().as_microsecond())
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    inserted.iter().map(|row| record::required_id(row, "id").map_err(store_error)).collect()
}

/// Where these rows are.
pub(super) async fn standing(connection: &mut SqliteConnection, ids: &[Uuid]) -> Result<Vec<Found>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(statements::STANDING)
        .bind(array(ids)?)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter().map(|row| found(row).map_err(store_error)).collect()
}

pub(super) async fn insert_events(
    connection: &mut SqliteConnection,
    events: &[EventParameter<'_>],
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(statements::INSERT_EVENTS)
        .bind(array(events)?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

pub(super) async fn fail_unusable(
    store: &SqliteStore,
    id: Uuid,
    failure: &Failure,
) -> Result<Option<Status>> {
    let mut transaction = store.begin().await?;
    let inserted = sqlx::query(statements::FAIL_UNUSABLE)
        .bind(id.to_string())
        .bind(storable(&failure.error_type).as_ref())
        .bind(storable(&failure.message).as_ref())
        .bind(now().as_microsecond())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(store_error)?;
    let present = match inserted {
        Some(_) => None,
        None => standing(&mut transaction, &[id]).await?.first().map(|found| found.status),
    };
    commit(transaction).await?;
    Ok(present)
}

pub(super) async fn reopen_unusable(store: &SqliteStore, id: Uuid) -> Result<bool> {
    let deleted = sqlx::query(statements::REOPEN_UNUSABLE)
        .bind(id.to_string())
        .execute(&store.writer)
        .await
        .map_err(store_error)?;
    Ok(deleted.rows_affected() > 0)
}

pub(super) async fn depth(store: &SqliteStore) -> Result<QueueDepth> {
    let row = sqlx::query(statements::QUEUE_DEPTH).fetch_one(&store.readers).await.map_err(store_error)?;
    let pending: i64 = row.try_get("pending").map_err(store_error)?;
    let oldest: Option<i64> = row.try_get("oldest").map_err(store_error)?;
    let waited = |due: i64| u64::try_from(now().as_microsecond() - due).ok().map(Duration::from_micros);
    Ok(QueueDepth {
        pending: u64::try_from(pending).unwrap_or_default(),
        oldest_wait: oldest.and_then(waited),
    })
}

pub(super) async fn next_due(store: &SqliteStore) -> Result<Option<Duration>> {
    let row = sqlx::query(statements::NEXT_DUE).fetch_one(&store.readers).await.map_err(store_error)?;
    let due: Option<i64> = row.try_get(0).map_err(store_error)?;
    let until = |due: i64| Duration::from_micros(u64::try_from(due - now().as_microsecond()).unwrap_or(0));
    Ok(due.map(until))
}

pub(super) async fn mark_notified(store: &SqliteStore, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(statements::MARK_NOTIFIED)
        .bind(array(ids)?)
        .bind(now().as_microsecond())
        .execute(&store.writer)
        .await
        .map_err(store_error)?;
    Ok(())
}

pub(super) async fn request_cancel(store: &SqliteStore, id: Uuid) -> Result<CancelAnswer> {
    let now = now().as_microsecond();
    let mut transaction = store.begin().await?;
    let row = sqlx::query(statements::CANCEL)
        .bind(id.to_string())
        .bind(now)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(store_error)?;
    let Some(row) = row else {
        let found = standing(&mut transaction, &[id]).await?;
        commit(transaction).await?;
        return Ok(CancelAnswer::AlreadyTerminal(found.first().map_or(Status::Cancelled, |row| row.status)));
    };
    let answer = cancel_answer(&row).map_err(store_error)?;
    let (event, attempt) = match answer {
        CancelAnswer::Requested { attempt, .. } => ("cancel_requested", attempt.number),
        CancelAnswer::Cancelled | CancelAnswer::AlreadyTerminal(_) | CancelAnswer::Tombstone => {
            ("cancelled", record::attempt(&row).map_err(store_error)?.number)
        }
    };
    let event = EventParameter { id, at: now, event, attempt, supervisor: None, detail: None };
    insert_events(&mut transaction, &[event]).await?;
    commit(transaction).await?;
    Ok(answer)
}

fn cancel_answer(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<CancelAnswer> {
    let attempt: Attempt = record::attempt(row)?;
    match record::id(row, "lease_owner")? {
        Some(owner) if record::status(row)? == Status::Running => {
            Ok(CancelAnswer::Requested { attempt, owner })
        }
        Some(_) | None if row.try_get("tombstone")? => Ok(CancelAnswer::Tombstone),
        Some(_) | None => Ok(CancelAnswer::Cancelled),
    }
}
