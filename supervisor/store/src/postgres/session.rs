//! What is sent within a transaction, and how the answers are read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use sqlx::Row;
use sqlx::postgres::PgRow;
use tokio::time::Instant;
use uuid::Uuid;

use super::columns::{JsonIn, column, signed, signed_long};
use super::error::store_error;
use super::peers::no_contact;
use super::presence::lock_key;
use super::read::count;
use super::statements;
use super::transaction::{PgSession, PostgresQuery};
use crate::columns::TimeColumn;
use crate::decide::{AttemptBudget, FoundRow};
use crate::flow::PendingRow;
use crate::rows::{
    BackRow, EndedRow, EndingRow, EventRowIn, FailureColumns, Fence, KeyRow, LogRowIn, NewRow, StateRow,
    micros,
};
use crate::session::{CancelledRow, Candidate, HeldKey, RenewedRow, StoreSession, WrittenAttempts};
use crate::shares::{Allotment, LOOK_FOR, WaitingShare};
use crate::takeover::{Answer, WAIT_MAX};
use crate::text::storable;
use crate::{
    Claimant, Claimed, DeadOwner, ExecutionFailure, NewExecution, Result, ServedQueues, StoreError, TakeOver,
};

pub(super) mod record {
    //! Rows as records.
    crate::readers::record_readers!(sqlx::postgres::PgRow, sqlx::Row);
}

fn fences<'q>(query: PostgresQuery<'q>, fences: &[Fence]) -> PostgresQuery<'q> {
    query
        .bind(column(fences, |fence| fence.id))
        .bind(column(fences, |fence| signed(fence.attempt)))
        .bind(column(fences, |fence| fence.owner))
}

fn attempts<'q>(query: PostgresQuery<'q>, attempts: &[Attempt]) -> PostgresQuery<'q> {
    query
        .bind(column(attempts, |attempt| attempt.execution_id))
        .bind(column(attempts, |attempt| signed(attempt.number)))
}

fn new_rows<'q>(query: PostgresQuery<'q>, rows: &[NewRow<'_>]) -> PostgresQuery<'q> {
    query
        .bind(column(rows, |row| row.id))
        .bind(column(rows, |row| row.workflow_id))
        .bind(column(rows, |row| row.workflow_name))
        .bind(column(rows, |row| row.organization_id))
        .bind(column(rows, |row| row.caller.map(JsonIn)))
        .bind(column(rows, |row| row.request))
        .bind(column(rows, |row| row.webhook.map(JsonIn)))
        .bind(column(rows, |row| signed(row.max_attempts)))
        .bind(column(rows, |row| row.timeout_seconds))
        .bind(column(rows, |row| i32::from(row.priority)))
        .bind(column(rows, |row| row.retry_of))
        .bind(column(rows, |row| row.queue))
        .bind(column(rows, |row| row.expires_at_us))
        .bind(column(rows, |row| row.expires_us))
}

fn keys<'q>(query: PostgresQuery<'q>, rows: &[KeyRow<'_>]) -> PostgresQuery<'q> {
    query.bind(column(rows, |row| row.scope)).bind(column(rows, |row| row.key))
}

fn event_rows<'q>(query: PostgresQuery<'q>, events: &[EventRowIn<'_>]) -> PostgresQuery<'q> {
    query
        .bind(column(events, |event| event.id))
        .bind(column(events, |event| event.at.map(TimeColumn)))
        .bind(column(events, |event| event.event))
        .bind(column(events, |event| signed(event.attempt)))
        .bind(column(events, |event| event.supervisor))
        .bind(column(events, |event| event.detail.as_deref().map(JsonIn)))
}

fn log_rows<'q>(query: PostgresQuery<'q>, lines: &[LogRowIn<'_>]) -> PostgresQuery<'q> {
    query
        .bind(column(lines, |line| line.id))
        .bind(column(lines, |line| signed(line.attempt)))
        .bind(column(lines, |line| signed_long(line.sequence)))
        .bind(column(lines, |line| TimeColumn(line.at)))
        .bind(column(lines, |line| line.level))
        .bind(column(lines, |line| line.stream))
        .bind(column(lines, |line| line.logger.as_ref()))
        .bind(column(lines, |line| line.message.as_ref()))
        .bind(column(lines, |line| line.fields.as_deref().map(JsonIn)))
}

fn failures<'q>(
    query: PostgresQuery<'q>,
    failures: &[&FailureColumns<'_>],
    stacks: bool,
) -> PostgresQuery<'q> {
    let query = query
        .bind(column(failures, |failure| failure.error_type.as_deref()))
        .bind(column(failures, |failure| failure.error_message.as_deref()));
    if stacks { query.bind(column(failures, |failure| failure.error_stack.as_deref())) } else { query }
}

impl PgSession {
    /// Those of the dead of whom nothing was heard since; their locks and beats wait for the commit.
    async fn still_dead(&mut self, dead: &[DeadOwner]) -> Result<Vec<Uuid>> {
        if dead.is_empty() {
            return Ok(Vec::new());
        }
        let query = sqlx::query(statements::STILL_DEAD)
            .bind(column(dead, |dead| dead.owner))
            .bind(column(dead, |dead| lock_key(dead.owner)))
            .bind(column(dead, |dead| dead.beats))
            .bind(column(dead, |dead| TimeColumn(dead.lease_ends)));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| row.try_get("owner").map_err(store_error)).collect()
    }

    /// Whether we may judge others at this moment: our own write to the same table comes first, and nothing held it
    /// up. From here to the commit nobody can keep them from writing to it either.
    async fn may_judge(&mut self) -> Result<bool> {
        let asked = Instant::now();
        let store = Arc::clone(&self.store);
        if !store.watch().writes_work(asked) {
            return Ok(false);
        }
        if let Err(error) = self.run(sqlx::query(statements::PROBE)).await {
            store.watch().observe(no_contact(&error), Instant::now());
            return Err(error);
        }
        let waited = asked.elapsed();
        store.watch().observe(Answer::Wrote { waited }, Instant::now());
        Ok(waited <= WAIT_MAX)
    }
}

impl PgSession {
    /// Rows that this supervisor has just claimed, as they are.
    async fn claimed_rows(&mut self, owner: Uuid, ids: &[Uuid]) -> Result<HashMap<Uuid, Claimed>> {
        let query = sqlx::query(statements::CLAIMED_BY).bind(ids).bind(owner);
        record::claimed_by_id(&self.rows(query).await?).map_err(store_error)
    }

    async fn renewed_by(
        &mut self,
        statement: &'static str,
        claimant: &Claimant,
        held: &[Attempt],
    ) -> Result<Vec<RenewedRow>> {
        let query = attempts(sqlx::query(statement), held);
        let rows = self.rows(query.bind(claimant.owner).bind(micros(claimant.lease))).await?;
        rows.iter().map(|row| record::renewed(row).map_err(store_error)).collect()
    }
}

impl StoreSession for PgSession {
    async fn commit(self) -> Result<()> {
        self.close().await
    }

    async fn roll_back(self) {
        self.abandon().await;
    }

    async fn mark(&mut self) -> Result<()> {
        self.order("SAVEPOINT mark").await
    }

    async fn back_to_mark(&mut self) -> Result<()> {
        self.order("ROLLBACK TO SAVEPOINT mark").await
    }

    async fn wake(&mut self) -> Result<()> {
        self.run(sqlx::query(statements::WAKE)).await
    }

    async fn insert_pending(&mut self, new: &[PendingRow<'_>]) -> Result<HashSet<Uuid>> {
        let rows: Vec<NewRow<'_>> = new.iter().map(NewRow::waiting).collect();
        let query = new_rows(sqlx::query(statements::SUBMIT), &rows);
        let query = query.bind(column(&rows, |row| row.delay_us)).bind(column(&rows, |row| row.run_at_us));
        let query = query
            .bind(column(&rows, |row| row.limits.as_deref()))
            .bind(column(&rows, |row| row.waits_for.as_deref()))
            .bind(column(&rows, |row| row.published_at_us));
        record::ids(&self.rows(query).await?).map_err(store_error)
    }

    async fn take_keys(&mut self, rows: &[KeyRow<'_>], gone: &[Uuid]) -> Result<HashSet<(Uuid, String)>> {
        let query = keys(sqlx::query(statements::TAKE_KEYS), rows)
            .bind(column(rows, |row| row.execution_id))
            .bind(column(rows, |row| row.fingerprint))
            .bind(column(rows, |row| row.lifetime_us))
            .bind(gone);
        self.rows(query)
            .await?
            .iter()
            .map(record::taken_key)
            .collect::<sqlx::Result<_>>()
            .map_err(store_error)
    }

    async fn held_keys(&mut self, rows: &[KeyRow<'_>]) -> Result<Vec<HeldKey>> {
        let rows = self.rows(keys(sqlx::query(statements::HELD_KEYS), rows)).await?;
        rows.iter().map(record::held_key).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn forget_keys(&mut self, limit: usize) -> Result<usize> {
        Ok(self.rows(sqlx::query(statements::FORGET_KEYS).bind(count(limit))).await?.len())
    }

    async fn follow_clock(&mut self, limit: usize) -> Result<usize> {
        Ok(self.rows(sqlx::query(statements::FOLLOW_CLOCK).bind(count(limit))).await?.len())
    }

    async fn claim(
        &mut self,
        claimant: &Claimant,
        new: &[&Arc<NewExecution>],
    ) -> Result<HashMap<Uuid, Claimed>> {
        let rows: Vec<NewRow<'_>> = new.iter().map(|new| NewRow::of(new)).collect();
        let query = new_rows(sqlx::query(statements::CLAIM), &rows);
        let query = query.bind(claimant.owner).bind(micros(claimant.lease));
        let query = query.bind(claimant.queues.in_statements());
        let answer = self.rows(query.bind(column(&rows, |row| row.published_at_us))).await?;
        let given: HashMap<Uuid, &Arc<NewExecution>> = new.iter().map(|new| (new.id, *new)).collect();
        let (mut claimed, mut waited) = (HashMap::with_capacity(answer.len()), Vec::new());
        for row in &answer {
            let attempt = record::attempt(row).map_err(store_error)?;
            let is_fresh: bool = row.try_get("fresh").map_err(store_error)?;
            match given.get(&attempt.execution_id) {
                Some(new) if is_fresh => {
                    let execution = Arc::clone(new);
                    claimed.insert(attempt.execution_id, Claimed { attempt, attempts_charged: 1, execution });
                }
                Some(_) | None => waited.push(attempt.execution_id),
            }
        }
        if !waited.is_empty() {
            claimed
                .extend(self.claimed_rows(claimant.owner, &waited).await.map_err(StoreError::after_commit)?);
        }
        Ok(claimed)
    }

    async fn current_state(&mut self, ids: &[Uuid]) -> Result<Vec<FoundRow>> {
        let rows = self.rows(sqlx::query(statements::STANDING).bind(ids)).await?;
        rows.iter().map(|row| record::found(row).map_err(store_error)).collect()
    }

    async fn waiting_shares(
        &mut self,
        queues: &ServedQueues,
        behind: Option<Uuid>,
    ) -> Result<Vec<WaitingShare>> {
        let query = sqlx::query(statements::WAITING_SHARES)
            .bind(queues.in_statements())
            .bind(behind)
            .bind(count(LOOK_FOR));
        let rows = self.rows(query).await?;
        rows.iter().map(record::waiting_share).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn candidates(
        &mut self,
        claimant: &Claimant,
        queues: &ServedQueues,
        limit: usize,
        take_over: TakeOver<'_>,
        allotted: &[Allotment],
    ) -> Result<Vec<Candidate>> {
        let (all_others, dead, overdue) = match take_over {
            TakeOver::Nothing => (false, Vec::new(), &[][..]),
            TakeOver::AllOthers => (true, Vec::new(), &[][..]),
            TakeOver::Lost(lost) if lost.is_empty() || !self.may_judge().await? => {
                (false, Vec::new(), &[][..])
            }
            TakeOver::Lost(lost) => (false, self.still_dead(&lost.dead).await?, &lost.overdue[..]),
        };
        let query = sqlx::query(statements::CANDIDATES).bind(claimant.owner).bind(all_others).bind(dead);
        let query = attempts(query, &column(overdue, |row| row.attempt))
            .bind(column(overdue, |row| TimeColumn(row.lease_ends)))
            .bind(count(limit))
            .bind(queues.in_statements())
            .bind(column(allotted, |(organization_id, _)| organization_id.unwrap_or_default()))
            .bind(column(allotted, |(_, starts)| count(*starts)))
            .bind(claimant.queues.in_statements());
        let rows = self.rows(query).await?;
        record::candidates(&rows).map_err(store_error)
    }

    async fn expired(&mut self, limit: usize) -> Result<Vec<Candidate>> {
        let rows = self.rows(sqlx::query(statements::EXPIRED).bind(count(limit))).await?;
        record::candidates(&rows).map_err(store_error)
    }

    async fn take(&mut self, claimant: &Claimant, ids: &[Uuid]) -> Result<HashMap<Uuid, Claimed>> {
        let query = sqlx::query(statements::TAKE).bind(ids).bind(claimant.owner).bind(micros(claimant.lease));
        record::claimed_by_id(&self.rows(query).await?).map_err(store_error)
    }

    async fn end_unclaimed(&mut self, owner: Option<Uuid>, rows: &[EndedRow<'_>]) -> Result<()> {
        let query = sqlx::query(statements::END_UNCLAIMED)
            .bind(column(rows, |row| row.id))
            .bind(column(rows, |row| row.status));
        let query = failures(query, &column(rows, |row| &row.failure), false);
        self.run(query.bind(owner)).await
    }

    async fn renew(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<RenewedRow>> {
        self.renewed_by(statements::RENEW, claimant, held).await
    }

    async fn renew_locked(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<RenewedRow>> {
        self.run(sqlx::query("SET LOCAL lock_timeout = '400ms'")).await?;
        self.renewed_by(statements::RENEW_LOCKED, claimant, held).await
    }

    async fn unheld_claims(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<Attempt>> {
        let query = attempts(sqlx::query(statements::UNHELD), held)
            .bind(claimant.owner)
            .bind(micros(claimant.lease / 3));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| record::attempt(row).map_err(store_error)).collect()
    }

    async fn record_started(&mut self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        let held = column(started, |(attempt, _)| *attempt);
        let query = attempts(sqlx::query(statements::RECORD_STARTED), &held);
        self.run(query.bind(column(started, |(_, at)| TimeColumn(*at))).bind(owner)).await
    }

    async fn budgets(&mut self, rows: &[Fence]) -> Result<HashMap<Attempt, AttemptBudget>> {
        let rows = self.rows(fences(sqlx::query(statements::BUDGETS), rows)).await?;
        let read = |row| Ok((record::attempt(row)?, record::budget(row)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn finish(
        &mut self,
        endings: &[EndingRow<'_>],
        lines: &[LogRowIn<'_>],
        events: &[EventRowIn<'_>],
    ) -> Result<WrittenAttempts> {
        let query = fences(sqlx::query(statements::FINISH), &column(endings, |ending| ending.fence))
            .bind(column(endings, |ending| ending.status))
            .bind(column(endings, |ending| ending.result));
        let query = failures(query, &column(endings, |ending| &ending.failure), true)
            .bind(column(endings, |ending| ending.duration_ms.map(signed_long)))
            .bind(column(endings, |ending| ending.metrics.map(JsonIn)))
            .bind(column(endings, |ending| ending.started_at.map(TimeColumn)))
            .bind(column(endings, |ending| TimeColumn(ending.completed_at)))
            .bind(column(endings, |ending| ending.end_cause))
            .bind(column(endings, |ending| ending.is_published));
        record::written(&self.rows(event_rows(log_rows(query, lines), events)).await?).map_err(store_error)
    }

    async fn locked(&mut self, asked: &[Uuid]) -> Result<HashSet<Uuid>> {
        record::ids(&self.rows(sqlx::query(statements::LOCKED).bind(asked)).await?).map_err(store_error)
    }

    async fn locked_state(
        &mut self,
        keys: &[(Option<Uuid>, &str)],
    ) -> Result<HashSet<(Option<Uuid>, String)>> {
        let query = sqlx::query(statements::LOCKED_STATE)
            .bind(column(keys, |(organization_id, _)| *organization_id))
            .bind(column(keys, |(_, key)| *key));
        let rows = self.rows(query).await?;
        let read = |row: &PgRow| Ok((row.try_get("organization_id")?, row.try_get("key")?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn requeue(&mut self, rows: &[BackRow]) -> Result<WrittenAttempts> {
        let query = fences(sqlx::query(statements::REQUEUE), &column(rows, |row| row.fence))
            .bind(column(rows, |row| i32::from(row.refund)))
            .bind(column(rows, |row| signed(row.max_attempts)))
            .bind(column(rows, |row| row.delay_us))
            .bind(column(rows, |row| row.elsewhere));
        record::written(&self.rows(query).await?).map_err(store_error)
    }

    async fn insert_logs(&mut self, lines: &[LogRowIn<'_>]) -> Result<()> {
        self.run(log_rows(sqlx::query(statements::INSERT_LOGS), lines)).await
    }

    async fn insert_events(&mut self, events: &[EventRowIn<'_>]) -> Result<()> {
        self.run(event_rows(sqlx::query(statements::INSERT_EVENTS), events)).await
    }

    async fn set_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        let query = sqlx::query(statements::SET_STATE)
            .bind(column(rows, |row| row.organization_id))
            .bind(column(rows, |row| row.key))
            .bind(column(rows, |row| row.value))
            .bind(column(rows, |row| row.updated_by));
        self.run(query).await
    }

    async fn delete_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        let query = sqlx::query(statements::DELETE_STATE)
            .bind(column(rows, |row| row.organization_id))
            .bind(column(rows, |row| row.key));
        self.run(query).await
    }

    async fn cancel_several(&mut self, ids: &[Uuid]) -> Result<Vec<CancelledRow>> {
        let rows = self.rows(sqlx::query(statements::CANCEL_SEVERAL).bind(ids)).await?;
        rows.iter().map(record::cancelled).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn displace(&mut self, rows: &[(Uuid, String)], may_run: bool) -> Result<Vec<CancelledRow>> {
        let query = sqlx::query(statements::DISPLACE)
            .bind(column(rows, |(id, _)| *id))
            .bind(column(rows, |(_, message)| message.as_str()))
            .bind(may_run);
        let rows = self.rows(query).await?;
        rows.iter().map(record::cancelled).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn cancel(&mut self, id: Uuid) -> Result<Option<CancelledRow>> {
        let row = self.rows(sqlx::query(statements::CANCEL).bind(id)).await?.pop();
        row.as_ref().map(record::cancelled).transpose().map_err(store_error)
    }

    async fn insert_unusable(&mut self, id: Uuid, failure: &ExecutionFailure) -> Result<bool> {
        let query = sqlx::query(statements::FAIL_UNUSABLE)
            .bind(id)
            .bind(storable(&failure.error_type).into_owned())
            .bind(storable(&failure.message).into_owned());
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn forget_unusable(&mut self, id: Uuid) -> Result<bool> {
        let forgotten = self.rows(sqlx::query(statements::REOPEN_UNUSABLE).bind(id)).await?;
        if !forgotten.is_empty() {
            self.run(sqlx::query(statements::DELETE_EVENTS).bind(id)).await?;
            self.run(sqlx::query(statements::DELETE_DELIVERIES).bind(id)).await?;
        }
        Ok(!forgotten.is_empty())
    }
}
