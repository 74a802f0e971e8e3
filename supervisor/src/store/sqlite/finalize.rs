//! The end of attempts, several in one transaction.

use std::collections::{HashMap, HashSet};

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::error::store_error;
use super::queue::{insert_events, insert_pending, standing};
use super::rows::{
    BackRow, EndingRow, EventParameter, FailureColumns, Fence, LogParameter, StateParameter, array, budget,
    micros, record,
};
use super::{SqliteStore, commit, statements};
use crate::execution::Attempt;
use crate::store::batch::Groups;
use crate::store::columns::now;
use crate::store::decide::{
    self, Budget, Settled, closing_event, distinct, last_writes, not_storable, settle,
};
use crate::store::text::{storable, storable_json};
use crate::store::{Finalization, NewExecution, Result, StateWrite, Verdict};

pub(super) async fn finalize(store: &SqliteStore, finalizations: &[Finalization]) -> Result<Vec<Verdict>> {
    let mut groups = Groups::of(finalizations);
    while let Some(group) = groups.next_group() {
        let written = finalize_group(store, group).await;
        if let Some((offender, error)) = groups.written(group, written)? {
            let failed = not_storable(offender, &error.to_string());
            let verdicts = finalize_group(store, std::slice::from_ref(&failed)).await?;
            groups.answer(verdicts.into_iter().next().unwrap_or(Verdict::Superseded));
        }
    }
    Ok(groups.into_answers())
}

/// A finalization and what becomes of its row; `None` when the row is not there to be ended.
type Ending<'a> = (&'a Finalization, Option<Settled<'a>>);

async fn finalize_group(store: &SqliteStore, finalizations: &[Finalization]) -> Result<Vec<Verdict>> {
    if finalizations.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = store.begin().await?;
    let endings = settle_all(&mut transaction, finalizations).await?;
    let mut written = finish(&mut transaction, &endings).await?;
    written.extend(requeue(&mut transaction, &endings).await?);

    let won: Vec<&Ending<'_>> =
        endings.iter().filter(|(ending, _)| written.contains(&ending.attempt.execution_id)).collect();
    insert_logs(&mut transaction, &won).await?;
    insert_events(&mut transaction, &events(&won)).await?;
    let over = || won.iter().filter(|(_, to)| matches!(to, Some(Settled::Terminal(_)))).map(|(f, _)| *f);
    write_state(&mut transaction, over()).await?;
    let children: Vec<&NewExecution> = over().flat_map(|finalization| &finalization.children).collect();
    if !children.is_empty() {
        insert_pending(&mut transaction, &distinct(&children)).await?;
    }

    let lost: Vec<Uuid> = finalizations
        .iter()
        .map(|finalization| finalization.attempt.execution_id)
        .filter(|id| !written.contains(id))
        .collect();
    let found = standing(&mut transaction, &lost).await?;
    commit(transaction).await?;
    let goes_back_now = |(_, to): &&Ending<'_>| to.as_ref().is_some_and(Settled::waits_at_once);
    if !children.is_empty() || won.iter().any(goes_back_now) {
        store.wake.notify_one();
    }
    let verdict = |(finalization, settled): &Ending<'_>| match settled {
        Some(settled) if written.contains(&finalization.attempt.execution_id) => settled.verdict(),
        Some(_) | None => {
            let attempt = finalization.attempt;
            let row = found.iter().find(|row| row.attempt.execution_id == attempt.execution_id);
            decide::standing(attempt, finalization.owner, row).unwrap_or(Verdict::Superseded)
        }
    };
    Ok(endings.iter().map(verdict).collect())
}

fn fence(finalization: &Finalization) -> Fence {
    let Attempt { execution_id, number } = finalization.attempt;
    Fence { id: execution_id, attempt: number, owner: finalization.owner }
}

/// Decides what becomes of each row. An outcome needs nothing from the database; for what would go back, the
/// budget and the cancel request are read under the write lock this transaction holds.
async fn settle_all<'a>(
    connection: &mut SqliteConnection,
    finalizations: &'a [Finalization],
) -> Result<Vec<Ending<'a>>> {
    let goes_back = |finalization: &&Finalization| !finalization.disposition.status().is_terminal();
    let fences: Vec<Fence> = finalizations.iter().filter(goes_back).map(fence).collect();
    let budgets = if fences.is_empty() { HashMap::new() } else { budgets(connection, &fences).await? };
    let settled = |finalization: &'a Finalization| {
        (finalization, settle(&finalization.disposition, budgets.get(&finalization.attempt)))
    };
    Ok(finalizations.iter().map(settled).collect())
}

async fn budgets(connection: &mut SqliteConnection, fences: &[Fence]) -> Result<HashMap<Attempt, Budget>> {
    let rows = sqlx::query(statements::BUDGETS)
        .bind(array(fences)?)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    rows.iter()
        .map(|row| Ok((record::attempt(row)?, budget(row)?)))
        .collect::<sqlx::Result<_>>()
        .map_err(store_error)
}

fn ending_row<'a>((finalization, settled): &'a Ending<'_>) -> Option<EndingRow<'a>> {
    let Some(Settled::Terminal(outcome)) = settled else { return None };
    Some(EndingRow {
        fence: fence(finalization),
        status: outcome.status().as_str(),
        result: outcome.result().map(|result| result.get()),
        failure: FailureColumns::of(outcome.failure()),
        duration_ms: finalization.duration_ms,
        metrics: finalization.metrics.as_ref().map(|metrics| metrics.get()),
        started_at: finalization.started_at.map(|at| at.as_microsecond()),
        completed_at: finalization.completed_at.as_microsecond(),
    })
}

fn back_row((finalization, settled): &Ending<'_>) -> Option<BackRow> {
    let Some(Settled::Requeue { delay, refund, .. }) = settled else { return None };
    Some(BackRow { fence: fence(finalization), refund: u8::from(*refund), delay_us: micros(*delay) })
}

/// Writes terminal rows; gives the ids that passed the fence.
async fn finish(connection: &mut SqliteConnection, endings: &[Ending<'_>]) -> Result<HashSet<Uuid>> {
    let rows: Vec<EndingRow<'_>> = endings.iter().filter_map(ending_row).collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let query = sqlx::query(statements::FINISH).bind(array(&rows)?);
    let written = query.fetch_all(connection).await.map_err(store_error)?;
    written.iter().map(|row| record::required_id(row, "id").map_err(store_error)).collect()
}

/// Sends rows back; gives the ids that passed the fence.
async fn requeue(connection: &mut SqliteConnection, endings: &[Ending<'_>]) -> Result<HashSet<Uuid>> {
    let rows: Vec<BackRow> = endings.iter().filter_map(back_row).collect();
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let query = sqlx::query(statements::REQUEUE).bind(array(&rows)?).bind(now().as_microsecond());
    let written = query.fetch_all(connection).await.map_err(store_error)?;
    written.iter().map(|row| record::required_id(row, "id").map_err(store_error)).collect()
}

async fn insert_logs(connection: &mut SqliteConnection, won: &[&Ending<'_>]) -> Result<()> {
    let lines = won.iter().flat_map(|(finalization, _)| {
        finalization.logs.iter().map(|line| LogParameter {
            id: finalization.attempt.execution_id,
            attempt: finalization.attempt.number,
            sequence: line.sequence,
            at: line.at_us,
            level: &line.level,
            stream: line.stream.as_str(),
            logger: storable(&line.logger),
            message: storable(&line.message),
            fields: line.fields.as_ref().map(|fields| storable_json(fields)),
        })
    });
    let lines: Vec<LogParameter<'_>> = lines.collect();
    if lines.is_empty() {
        return Ok(());
    }
    sqlx::query(statements::INSERT_LOGS)
        .bind(array(&lines)?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}

fn events<'a>(won: &[&'a Ending<'_>]) -> Vec<EventParameter<'a>> {
    let mut events = Vec::with_capacity(won.len());
    for (finalization, settled) in won {
        let parameter = |at: i64, event, detail| EventParameter {
            id: finalization.attempt.execution_id,
            at,
            event,
            attempt: finalization.attempt.number,
            supervisor: Some(finalization.owner),
            detail,
        };
        events.extend(finalization.events.iter().map(|event| {
            let detail = event.detail.as_ref().map(|detail| detail.get().into());
            parameter(event.at.as_microsecond(), event.event.as_str(), detail)
        }));
        let at = finalization.completed_at.as_microsecond();
        events.extend(settled.as_ref().map(|settled| {
            let (event, detail) = closing_event(settled);
            parameter(at, event, Some(detail))
        }));
    }
    events
}

async fn write_state<'a>(
    connection: &mut SqliteConnection,
    over: impl Iterator<Item = &'a Finalization>,
) -> Result<()> {
    let (mut set, mut deleted) = (Vec::new(), Vec::new());
    for ((organization_id, key), (write, updated_by)) in last_writes(over) {
        match write {
            StateWrite::Set(value) => {
                set.push(StateParameter { organization_id, key, value: Some(value.get()), updated_by });
            }
            StateWrite::Delete => {
                deleted.push(StateParameter { organization_id, key, value: None, updated_by });
            }
        }
    }
    if !set.is_empty() {
        sqlx::query(statements::SET_STATE)
            .bind(array(&set)?)
            .bind(now().as_microsecond())
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
    }
    if !deleted.is_empty() {
        let query = sqlx::query(statements::DELETE_STATE).bind(array(&deleted)?);
        query.execute(connection).await.map_err(store_error)?;
    }
    Ok(())
}
