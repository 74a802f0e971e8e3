//! What every execution writes: one row at a time into a statement that stays prepared. Values go in as they are: as one
//! JSON array for many rows they would be escaped, parsed and unescaped again, which costs several times the writing.

use std::sync::Arc;

use muster_core::execution::Attempt;
use rusqlite::{Connection, Result, Statement, ToSql, named_params, params};
use uuid::Uuid;

use super::definitions::text;
use super::statements;
use crate::limits::held_limits;
use crate::rows::{EndingRow, EventRowIn, LogRowIn, NewRow};
use crate::session::WrittenAttempts;
use crate::{Claimed, NewExecution};

/// Inserts executions that are claimed from the start; gives those whose id was free.
pub(super) fn claim_new(
    file: &Connection,
    new: &[&Arc<NewExecution>],
    (owner, now, lease_end): (Uuid, i64, i64),
) -> Result<Vec<Claimed>> {
    let mut statement = file.prepare_cached(statements::CLAIM)?;
    let owner = owner.to_string();
    let mut claimed = Vec::with_capacity(new.len());
    for new in new {
        let row = NewRow::of(new);
        let next = bind_new(&mut statement, &row, now)?;
        bind(&mut statement, next, named_params! { "@owner": owner, "@lease_end": lease_end })?;
        let inserted = statement.raw_execute()?;
        if inserted > 0 {
            let execution = as_claimed(new);
            claimed.push(Claimed { attempt: Attempt::new(new.id, 1), attempts_charged: 1, execution });
        }
    }
    Ok(claimed)
}

/// The columns that every new row has. Those of the row before stay bound, so each statement binds all it has.
fn bind_new(statement: &mut Statement<'_>, row: &NewRow<'_>, now: i64) -> Result<usize> {
    bind(
        statement,
        1,
        named_params! {
            "@id": row.id.to_string(),
            "@workflow_id": text(row.workflow_id),
            "@workflow_name": row.workflow_name,
            "@organization_id": text(row.organization_id),
            "@caller": row.caller,
            "@request": row.request,
            "@webhook": row.webhook,
            "@max_attempts": row.max_attempts,
            "@timeout_seconds": row.timeout_seconds,
            "@priority": row.priority,
            "@retry_of": text(row.retry_of),
            "@queue": row.queue,
            "@expires_at": row.expires_at_us.or_else(|| Some(now + row.expires_us?)),
            "@now": now,
            // What would be later than now is of another clock.
            "@published_at": row.published_at_us.filter(|at| *at <= now),
        },
    )
}

/// Binds values from this place on, in the order in which the statement names them first; gives the place behind them. To
/// look for each name takes longer than to bind its value.
fn bind(statement: &mut Statement<'_>, first: usize, values: &[(&str, &dyn ToSql)]) -> Result<usize> {
    for (place, (name, value)) in (first..).zip(values) {
        debug_assert_eq!(statement.parameter_name(place), Some(*name), "the order of the statement's names");
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(first + values.len())
}

/// What would be read back from its row: what is claimed has waited, begins in time, and has room in its limits.
fn as_claimed(new: &Arc<NewExecution>) -> Arc<NewExecution> {
    let is_plain = new.delay.is_zero()
        && new.run_at.is_none()
        && new.expiry.is_none()
        && new.idempotency.is_none()
        && new.limits.is_empty()
        && new.max_attempts > 0
        && new.priority <= 9;
    if is_plain {
        return Arc::clone(new);
    }
    Arc::new(NewExecution {
        delay: std::time::Duration::ZERO,
        run_at: None,
        expiry: None,
        idempotency: None,
        limits: Vec::new(),
        max_attempts: new.max_attempts.max(1),
        priority: new.priority.min(9),
        ..NewExecution::clone(new)
    })
}

/// Inserts executions that wait; gives those whose id was free.
pub(super) fn submit<'r>(
    file: &Connection,
    rows: impl Iterator<Item = NewRow<'r>>,
    now: i64,
) -> Result<Vec<Uuid>> {
    let mut statement = file.prepare_cached(statements::SUBMIT)?;
    let mut submitted = Vec::new();
    for row in rows {
        let next = bind_new(&mut statement, &row, now)?;
        let run_after = (now + row.delay_us).max(row.run_at_us.unwrap_or_default());
        let waits =
            named_params! { "@run_after": run_after, "@limits": row.limits, "@waits_for": row.waits_for };
        bind(&mut statement, next, waits)?;
        let inserted = statement.raw_execute()?;
        if inserted > 0 {
            submitted.push(row.id);
        }
    }
    Ok(submitted)
}

/// Ends attempts under their fences; gives those that were let through, with the limits their rows were in.
pub(super) fn finish(file: &Connection, endings: &[EndingRow<'_>], now: i64) -> Result<WrittenAttempts> {
    let mut statement = file.prepare_cached(statements::FINISH)?;
    let mut written = WrittenAttempts::with_capacity(endings.len());
    for ending in endings {
        let fence = ending.fence;
        let values = named_params! {
            "@status": ending.status,
            "@result": ending.result,
            "@error_type": ending.failure.error_type,
            "@error_message": ending.failure.error_message,
            "@error_stack": ending.failure.error_stack,
            "@duration_ms": ending.duration_ms.map(number),
            "@metrics": ending.metrics,
            "@end_cause": ending.end_cause,
            "@started_at": ending.started_at.map(jiff::Timestamp::as_microsecond),
            "@completed_at": ending.completed_at.as_microsecond(),
            "@notified_at": ending.is_published.then_some(now),
            "@id": fence.id.to_string(),
            "@attempt": fence.attempt,
            "@owner": fence.owner.to_string(),
        };
        bind(&mut statement, 1, values)?;
        if let Some(row) = statement.raw_query().next()? {
            let limits = held_limits(row.get_ref(0)?.as_str_or_null()?);
            written.insert(Attempt::new(fence.id, fence.attempt), limits);
        }
    }
    Ok(written)
}

/// Stores events; those without a time of their own happen now.
pub(super) fn insert_events<'e, 'r: 'e>(
    file: &Connection,
    events: impl Iterator<Item = &'e EventRowIn<'r>>,
    now: i64,
) -> Result<()> {
    let mut statement = file.prepare_cached(statements::INSERT_EVENT)?;
    for event in events {
        let at = event.at.map_or(now, jiff::Timestamp::as_microsecond);
        statement.execute(params![
            event.id.to_string(),
            at,
            event.event,
            event.attempt,
            text(event.supervisor),
            event.detail
        ])?;
    }
    Ok(())
}

/// Stores lines of logs.
pub(super) fn insert_log_lines<'l, 'r: 'l>(
    file: &Connection,
    lines: impl Iterator<Item = &'l LogRowIn<'r>>,
) -> Result<()> {
    let mut statement = file.prepare_cached(statements::INSERT_LOG_LINE)?;
    for line in lines {
        statement.execute(params![
            line.id.to_string(),
            line.attempt,
            number(line.sequence),
            line.at.as_microsecond(),
            line.level,
            line.stream,
            line.logger,
            line.message,
            line.fields
        ])?;
    }
    Ok(())
}

/// Integers of SQLite have a sign.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
