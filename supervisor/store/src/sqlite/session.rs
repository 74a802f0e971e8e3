//! One transaction on the writing connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use serde::Serialize;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Executor as _, Row, Transaction};
use tokio::sync::Notify;
use uuid::Uuid;

use super::error::{commit_unknown, store_error};
use super::read::{all, count};
use super::{BACKEND, SqliteStore, statements};
use crate::columns::now;
use crate::decide::{AttemptBudget, FoundRow};
use crate::flow::PendingRow;
use crate::limits::DeclaredLimits;
use crate::rows::{
    BackRow, EndedRow, EndingRow, EventRowIn, Fence, KeyRow, LogRowIn, NewRow, StateRow, micros,
};
use crate::session::{
    Backend, CancelledRow, Candidate, Extent, HeldKey, Purpose, StoreSession, WrittenAttempts,
};
use crate::shares::{Allotment, LOOK_FOR, WaitingShare};
use crate::text::storable;
use crate::{Claimant, Claimed, ExecutionFailure, NewExecution, Result, StoreError, TakeOver};

pub(super) mod record {
    //! Rows as records.
    crate::readers::record_readers!(sqlx::sqlite::SqliteRow);
}

/// A transaction that holds the write lock since its beginning, with the moment it began: its clock.
pub(crate) struct SqliteSession {
    transaction: Transaction<'static, Sqlite>,
    now: i64,
    waker: Arc<Notify>,
    wakes: bool,
}

impl Backend for SqliteStore {
    /// SQLite prepares anew by itself.
    const PLANS_MAX: u32 = 0;

    type Session = SqliteSession;

    async fn begin(&self, _purpose: Purpose, _extent: Extent) -> Result<SqliteSession> {
        Ok(SqliteSession {
            transaction: self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?,
            now: now().as_microsecond(),
            waker: self.waker.clone(),
            wakes: false,
        })
    }

    fn declared_limits(&self) -> &DeclaredLimits {
        &self.declared
    }

    async fn claims_of(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        let query = sqlx::query(statements::CLAIMED_BY).bind(array(ids)?).bind(owner.to_string());
        all(self, query, record::claimed).await
    }
}

pub(super) type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// The parameter that holds several rows.
pub(super) fn array<T: Serialize>(rows: &[T]) -> Result<String> {
    serde_json::to_string(rows).map_err(|error| StoreError::Failed {
        backend: BACKEND,
        message: format!("rows could not be written as JSON: {error}"),
    })
}

impl SqliteSession {
    pub(super) async fn rows(&mut self, query: SqliteQuery<'_>) -> Result<Vec<SqliteRow>> {
        query.fetch_all(&mut *self.transaction).await.map_err(store_error)
    }

    pub(super) async fn run(&mut self, query: SqliteQuery<'_>) -> Result<()> {
        query.execute(&mut *self.transaction).await.map_err(store_error)?;
        Ok(())
    }

    /// The moment it began.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Runs a statement that claims rows, and notes it among their events.
    async fn claims(
        &mut self,
        claimant: &Claimant,
        query: SqliteQuery<'_>,
    ) -> Result<HashMap<Uuid, Claimed>> {
        let claimed = record::claimed_by_id(&self.rows(query).await?).map_err(store_error)?;
        let owner = Some(claimant.owner);
        let events: Vec<_> =
            claimed.values().map(|claimed| EventRowIn::of(claimed.attempt, owner, "claimed")).collect();
        if !events.is_empty() {
            self.insert_events(&events).await?;
        }
        Ok(claimed)
    }

    fn lease_end(&self, claimant: &Claimant) -> i64 {
        self.now + micros(claimant.lease)
    }

    /// Events without a time of their own happen now.
    fn dated(&self, events: &[EventRowIn<'_>]) -> Result<String> {
        let now = Timestamp::from_microsecond(self.now).ok();
        let dated: Vec<EventRowIn<'_>> = events
            .iter()
            .map(|event| EventRowIn { at: event.at.or(now), detail: event.detail.clone(), ..*event })
            .collect();
        array(&dated)
    }
}

impl StoreSession for SqliteSession {
    async fn commit(self) -> Result<()> {
        self.transaction.commit().await.map_err(commit_unknown)?;
        if self.wakes {
            self.waker.notify_one();
        }
        Ok(())
    }

    async fn roll_back(self) {
        // What cannot be told is rolled back with its connection.
        drop(self.transaction.rollback().await);
    }

    async fn mark(&mut self) -> Result<()> {
        self.transaction.execute("SAVEPOINT mark").await.map(drop).map_err(store_error)
    }

    async fn back_to_mark(&mut self) -> Result<()> {
        self.transaction.execute("ROLLBACK TO SAVEPOINT mark").await.map(drop).map_err(store_error)
    }

    async fn wake(&mut self) -> Result<()> {
        self.wakes = true;
        Ok(())
    }

    async fn insert_pending(&mut self, new: &[PendingRow<'_>]) -> Result<HashSet<Uuid>> {
        let rows: Vec<NewRow<'_>> = new.iter().map(NewRow::waiting).collect();
        let query = sqlx::query(statements::SUBMIT).bind(array(&rows)?).bind(self.now);
        record::ids(&self.rows(query).await?).map_err(store_error)
    }

    async fn take_keys(&mut self, rows: &[KeyRow<'_>], gone: &[Uuid]) -> Result<HashSet<(Uuid, String)>> {
        let query = sqlx::query(statements::TAKE_KEYS).bind(array(rows)?).bind(self.now).bind(array(gone)?);
        self.rows(query)
            .await?
            .iter()
            .map(record::taken_key)
            .collect::<sqlx::Result<_>>()
            .map_err(store_error)
    }

    async fn held_keys(&mut self, rows: &[KeyRow<'_>]) -> Result<Vec<HeldKey>> {
        let rows = self.rows(sqlx::query(statements::HELD_KEYS).bind(array(rows)?)).await?;
        rows.iter().map(record::held_key).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn forget_keys(&mut self, limit: usize) -> Result<usize> {
        let query = sqlx::query(statements::FORGET_KEYS).bind(self.now).bind(count(limit));
        Ok(self.rows(query).await?.len())
    }

    async fn claim(
        &mut self,
        claimant: &Claimant,
        new: &[&Arc<NewExecution>],
    ) -> Result<HashMap<Uuid, Claimed>> {
        let rows: Vec<NewRow<'_>> = new.iter().map(|new| NewRow::of(new)).collect();
        let query = sqlx::query(statements::CLAIM)
            .bind(array(&rows)?)
            .bind(claimant.owner.to_string())
            .bind(self.now)
            .bind(self.lease_end(claimant))
            .bind(array(claimant.queues.in_statements())?);
        self.claims(claimant, query).await
    }

    async fn current_state(&mut self, ids: &[Uuid]) -> Result<Vec<FoundRow>> {
        let rows = self.rows(sqlx::query(statements::STANDING).bind(array(ids)?)).await?;
        rows.iter().map(|row| record::found(row).map_err(store_error)).collect()
    }

    async fn waiting_shares(
        &mut self,
        claimant: &Claimant,
        behind: Option<Uuid>,
    ) -> Result<Vec<WaitingShare>> {
        let query = sqlx::query(statements::WAITING_SHARES)
            .bind(array(claimant.queues.in_statements())?)
            .bind(behind.map(|behind| behind.to_string()))
            .bind(count(LOOK_FOR))
            .bind(self.now);
        let rows = self.rows(query).await?;
        rows.iter().map(record::waiting_share).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn candidates(
        &mut self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
        allotted: &[Allotment],
    ) -> Result<Vec<Candidate>> {
        let limit = count(limit);
        let lost = sqlx::query(statements::LOST).bind(claimant.owner.to_string());
        let lost = match take_over {
            TakeOver::Nothing => None,
            TakeOver::AllOthers => Some(lost.bind(None::<String>).bind(None::<String>)),
            TakeOver::Lost(found) => {
                let overdue: Vec<_> = found
                    .overdue
                    .iter()
                    .map(|row| {
                        (row.attempt.execution_id, row.attempt.number, row.lease_ends.as_microsecond())
                    })
                    .collect();
                let dead: Vec<Uuid> = found.dead.iter().map(|dead| dead.owner).collect();
                Some(lost.bind(Some(array(&overdue)?)).bind(Some(array(&dead)?)))
            }
        };
        let queues = array(claimant.queues.in_statements())?;
        let mut rows = match lost {
            Some(lost) => self.rows(lost.bind(limit).bind(&queues)).await?,
            None => Vec::new(),
        };
        let mut rest = limit - i64::try_from(rows.len()).unwrap_or(limit);
        for (organization_id, starts) in allotted {
            let organization_id = organization_id.map(|id| id.to_string()).unwrap_or_default();
            let due =
                sqlx::query(statements::DUE).bind(self.now).bind(count(*starts).min(rest)).bind(&queues);
            let due = self.rows(due.bind(organization_id)).await?;
            rest -= i64::try_from(due.len()).unwrap_or(rest);
            rows.extend(due);
        }
        record::candidates(&rows).map_err(store_error)
    }

    async fn expired(&mut self, limit: usize) -> Result<Vec<Candidate>> {
        let query = sqlx::query(statements::EXPIRED).bind(self.now);
        let rows = self.rows(query.bind(count(limit))).await?;
        record::candidates(&rows).map_err(store_error)
    }

    async fn take(&mut self, claimant: &Claimant, ids: &[Uuid]) -> Result<HashMap<Uuid, Claimed>> {
        let query = sqlx::query(statements::TAKE)
            .bind(array(ids)?)
            .bind(claimant.owner.to_string())
            .bind(self.lease_end(claimant));
        self.claims(claimant, query).await
    }

    async fn end_unclaimed(&mut self, owner: Uuid, rows: &[EndedRow<'_>]) -> Result<()> {
        let query = sqlx::query(statements::END_UNCLAIMED).bind(array(rows)?).bind(owner.to_string());
        let query = query.bind(self.now);
        self.run(query).await
    }

    async fn renew(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<(Attempt, bool)>> {
        let query = sqlx::query(statements::RENEW)
            .bind(array(held)?)
            .bind(claimant.owner.to_string())
            .bind(self.lease_end(claimant));
        let rows = self.rows(query).await?;
        let read = |row| Ok((record::attempt(row)?, row.try_get("cancel_requested")?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn renew_locked(
        &mut self,
        _claimant: &Claimant,
        _held: &[Attempt],
    ) -> Result<Vec<(Attempt, bool)>> {
        // Nobody locks a row here: a transaction has all of the file.
        Ok(Vec::new())
    }

    async fn unheld_claims(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<Attempt>> {
        let query = sqlx::query(statements::UNHELD)
            .bind(array(held)?)
            .bind(claimant.owner.to_string())
            .bind(self.now + micros(claimant.lease / 3));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| record::attempt(row).map_err(store_error)).collect()
    }

    async fn record_started(&mut self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        let rows: Vec<_> = started
            .iter()
            .map(|(attempt, at)| EventRowIn::of(*attempt, Some(owner), "started").at(*at))
            .collect();
        let query = sqlx::query(statements::RECORD_STARTED).bind(array(&rows)?).bind(owner.to_string());
        self.run(query).await
    }

    async fn budgets(&mut self, fences: &[Fence]) -> Result<HashMap<Attempt, AttemptBudget>> {
        let rows = self.rows(sqlx::query(statements::BUDGETS).bind(array(fences)?)).await?;
        let read = |row| Ok((record::attempt(row)?, record::budget(row)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn finish(
        &mut self,
        endings: &[EndingRow<'_>],
        lines: &[LogRowIn<'_>],
        events: &[EventRowIn<'_>],
    ) -> Result<WrittenAttempts> {
        let written =
            record::written(&self.rows(sqlx::query(statements::FINISH).bind(array(endings)?)).await?)
                .map_err(store_error)?;
        let lines: Vec<_> = lines.iter().filter(|line| written.contains_key(&line.fenced())).collect();
        if !lines.is_empty() {
            self.run(sqlx::query(statements::INSERT_LOGS).bind(array(&lines)?)).await?;
        }
        let events: Vec<_> =
            events.iter().filter(|event| written.contains_key(&event.fenced())).cloned().collect();
        if !events.is_empty() {
            self.insert_events(&events).await?;
        }
        Ok(written)
    }

    /// Nobody locks single rows here.
    async fn locked(&mut self, _ids: &[Uuid]) -> Result<HashSet<Uuid>> {
        Ok(HashSet::new())
    }

    async fn locked_state(
        &mut self,
        _keys: &[(Option<Uuid>, &str)],
    ) -> Result<HashSet<(Option<Uuid>, String)>> {
        Ok(HashSet::new())
    }

    async fn requeue(&mut self, rows: &[BackRow]) -> Result<WrittenAttempts> {
        let query = sqlx::query(statements::REQUEUE).bind(array(rows)?).bind(self.now);
        record::written(&self.rows(query).await?).map_err(store_error)
    }

    async fn insert_logs(&mut self, lines: &[LogRowIn<'_>]) -> Result<()> {
        self.run(sqlx::query(statements::INSERT_LOGS).bind(array(lines)?)).await
    }

    async fn insert_events(&mut self, events: &[EventRowIn<'_>]) -> Result<()> {
        let query = sqlx::query(statements::INSERT_EVENTS).bind(self.dated(events)?);
        self.run(query).await
    }

    async fn set_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        let query = sqlx::query(statements::SET_STATE).bind(array(rows)?).bind(self.now);
        self.run(query).await
    }

    async fn delete_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        self.run(sqlx::query(statements::DELETE_STATE).bind(array(rows)?)).await
    }

    async fn cancel(&mut self, id: Uuid) -> Result<Option<CancelledRow>> {
        let query = sqlx::query(statements::CANCEL).bind(id.to_string()).bind(self.now);
        let row = query.fetch_optional(&mut *self.transaction).await.map_err(store_error)?;
        row.as_ref().map(record::cancelled).transpose().map_err(store_error)
    }

    async fn insert_unusable(&mut self, id: Uuid, failure: &ExecutionFailure) -> Result<bool> {
        let query = sqlx::query(statements::FAIL_UNUSABLE)
            .bind(id.to_string())
            .bind(storable(&failure.error_type).into_owned())
            .bind(storable(&failure.message).into_owned())
            .bind(self.now);
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn forget_unusable(&mut self, id: Uuid) -> Result<bool> {
        let forgotten = self.rows(sqlx::query(statements::REOPEN_UNUSABLE).bind(id.to_string())).await?;
        if !forgotten.is_empty() {
            self.run(sqlx::query(statements::DELETE_EVENTS).bind(id.to_string())).await?;
        }
        Ok(!forgotten.is_empty())
    }
}
