//! One transaction on the writing connection.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use serde::Serialize;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use tokio::sync::Notify;
use uuid::Uuid;

use super::error::store_error;
use super::read::{all, count};
use super::retention::give_space_back;
use super::rows::{WriteQuery, WriteRow, write_query};
use super::writer::WriteTransaction;
use super::{BACKEND, SqliteStore, each, statements};
use crate::columns::now;
use crate::decide::{AttemptBudget, FoundRow};
use crate::flow::PendingRow;
use crate::limits::{DisplacedBook, SweepPlaces, WorkflowBook};
use crate::pauses::PauseBook;
use crate::rows::{
    BackRow, EndedRow, EndingRow, EventRowIn, Fence, KeyRow, LogRowIn, NewRow, StateRow, micros,
};
use crate::session::{
    Backend, CancelledRow, Candidate, Extent, HeldKey, Purpose, RenewedRow, StoreSession, WrittenAttempts,
};
use crate::shares::{Allotment, LOOK_FOR, WaitingShare};
use crate::text::storable;
use crate::webhooks::WebhookSession as _;
use crate::{Claimant, Claimed, ExecutionFailure, NewExecution, Result, ServedQueues, StoreError, TakeOver};

#[expect(dead_code, reason = "each kind of connection reads some kinds of records only")]
pub(super) mod record {
    //! Rows that were read, as records.
    crate::readers::record_readers!(sqlx::sqlite::SqliteRow, sqlx::Row);
}

#[expect(dead_code, reason = "each kind of connection reads some kinds of records only")]
pub(super) mod written {
    //! Rows of the writing connection, as records.
    crate::readers::record_readers!(crate::sqlite::rows::WriteRow);
}

/// A transaction, with the moment it began: its clock. One that may write holds the write lock since then.
pub(crate) struct SqliteSession {
    transaction: WriteTransaction,
    now: i64,
    waker: Arc<Notify>,
    wakes: bool,
}

impl Backend for SqliteStore {
    /// SQLite prepares anew by itself.
    const PLANS_MAX: u32 = 0;

    type Session = SqliteSession;

    async fn begin(&self, purpose: Purpose, _extent: Extent) -> Result<SqliteSession> {
        let transaction = match purpose {
            Purpose::Read => self.looks.begin_reading().await?,
            Purpose::Claim | Purpose::Renew { .. } | Purpose::Tend | Purpose::Write => {
                self.writer.begin().await?
            }
        };
        Ok(SqliteSession {
            transaction,
            now: now().as_microsecond(),
            waker: self.waker.clone(),
            wakes: false,
        })
    }

    fn workflow_book(&self) -> &WorkflowBook {
        &self.workflows
    }

    fn rate_waker(&self) -> &Notify {
        &self.rate_waker
    }

    fn displaced(&self) -> &DisplacedBook {
        &self.displaced
    }

    fn sweep_places(&self) -> &SweepPlaces {
        &self.sweep_places
    }

    fn pause_book(&self) -> &PauseBook {
        &self.pauses
    }

    fn wake_here(&self) {
        self.waker.notify_one();
    }

    fn definitions_written(&self) {
        self.definition_waker.notify_one();
    }

    async fn give_space_back(&self) -> Result<()> {
        give_space_back(&self.writer).await
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
    pub(super) async fn rows(&mut self, query: WriteQuery<'_>) -> Result<Vec<WriteRow>> {
        self.transaction.rows(query)
    }

    pub(super) async fn run(&mut self, query: WriteQuery<'_>) -> Result<()> {
        self.transaction.rows(query).map(drop)
    }

    /// The moment it began.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// Runs a statement that claims rows, and notes it among their events.
    async fn claims(&mut self, claimant: &Claimant, query: WriteQuery<'_>) -> Result<HashMap<Uuid, Claimed>> {
        let claimed = written::claimed_by_id(&self.rows(query).await?).map_err(store_error)?;
        self.note_claims(claimant, &claimed)?;
        Ok(claimed)
    }

    fn note_claims(&self, claimant: &Claimant, claimed: &HashMap<Uuid, Claimed>) -> Result<()> {
        let owner = Some(claimant.owner);
        let events: Vec<_> =
            claimed.values().map(|claimed| EventRowIn::of(claimed.attempt, owner, "claimed")).collect();
        self.transaction.with(|file| each::insert_events(file, events.iter(), self.now))
    }

    fn lease_end(&self, claimant: &Claimant) -> i64 {
        self.now + micros(claimant.lease)
    }
}

impl StoreSession for SqliteSession {
    async fn commit(self) -> Result<()> {
        self.transaction.commit()?;
        if self.wakes {
            self.waker.notify_one();
        }
        Ok(())
    }

    async fn roll_back(self) {
        // What cannot be told is rolled back with its connection.
        drop(self.transaction);
    }

    async fn mark(&mut self) -> Result<()> {
        self.transaction.run_all("SAVEPOINT mark")
    }

    async fn back_to_mark(&mut self) -> Result<()> {
        self.transaction.run_all("ROLLBACK TO SAVEPOINT mark")
    }

    async fn wake(&mut self) -> Result<()> {
        self.wakes = true;
        Ok(())
    }

    async fn insert_pending(&mut self, new: &[PendingRow<'_>]) -> Result<HashSet<Uuid>> {
        let rows = new.iter().map(NewRow::waiting);
        Ok(self.transaction.with(|file| each::submit(file, rows, self.now))?.into_iter().collect())
    }

    async fn take_keys(&mut self, rows: &[KeyRow<'_>], gone: &[Uuid]) -> Result<HashSet<(Uuid, String)>> {
        let query = write_query(statements::TAKE_KEYS).bind(array(rows)?).bind(self.now).bind(array(gone)?);
        self.rows(query)
            .await?
            .iter()
            .map(written::taken_key)
            .collect::<sqlx::Result<_>>()
            .map_err(store_error)
    }

    async fn held_keys(&mut self, rows: &[KeyRow<'_>]) -> Result<Vec<HeldKey>> {
        let rows = self.rows(write_query(statements::HELD_KEYS).bind(array(rows)?)).await?;
        rows.iter().map(written::held_key).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn forget_keys(&mut self, limit: usize) -> Result<usize> {
        let query = write_query(statements::FORGET_KEYS).bind(self.now).bind(count(limit));
        Ok(self.rows(query).await?.len())
    }

    async fn follow_clock(&mut self, limit: usize) -> Result<usize> {
        let query = write_query(statements::FOLLOW_CLOCK).bind(self.now).bind(count(limit));
        Ok(self.rows(query).await?.len())
    }

    async fn claim(
        &mut self,
        claimant: &Claimant,
        new: &[&Arc<NewExecution>],
    ) -> Result<HashMap<Uuid, Claimed>> {
        let ours = (claimant.owner, self.now, self.lease_end(claimant));
        let inserted = self.transaction.with(|file| each::claim_new(file, new, ours))?;
        let mut claimed: HashMap<Uuid, Claimed> =
            inserted.into_iter().map(|claimed| (claimed.attempt.execution_id, claimed)).collect();
        let there: Vec<_> = new.iter().filter(|new| !claimed.contains_key(&new.id)).collect();
        let queues = if there.is_empty() { String::new() } else { array(claimant.queues.in_statements())? };
        for there in there {
            let query = write_query(statements::CLAIM_WAITING)
                .bind(there.id.to_string())
                .bind(claimant.owner.to_string())
                .bind(self.now)
                .bind(self.lease_end(claimant))
                .bind(&queues);
            claimed.extend(written::claimed_by_id(&self.rows(query).await?).map_err(store_error)?);
        }
        self.note_claims(claimant, &claimed)?;
        Ok(claimed)
    }

    async fn current_state(&mut self, ids: &[Uuid]) -> Result<Vec<FoundRow>> {
        let rows = self.rows(write_query(statements::STANDING).bind(array(ids)?)).await?;
        rows.iter().map(|row| written::found(row).map_err(store_error)).collect()
    }

    async fn waiting_shares(
        &mut self,
        queues: &ServedQueues,
        behind: Option<Uuid>,
    ) -> Result<Vec<WaitingShare>> {
        let query = write_query(statements::WAITING_SHARES)
            .bind(array(queues.in_statements())?)
            .bind(behind.map(|behind| behind.to_string()))
            .bind(count(LOOK_FOR))
            .bind(self.now);
        let rows = self.rows(query).await?;
        rows.iter().map(written::waiting_share).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn candidates(
        &mut self,
        claimant: &Claimant,
        queues: &ServedQueues,
        limit: usize,
        take_over: TakeOver<'_>,
        allotted: &[Allotment],
    ) -> Result<Vec<Candidate>> {
        let limit = count(limit);
        let lost = write_query(statements::LOST).bind(claimant.owner.to_string());
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
        let served = array(claimant.queues.in_statements())?;
        let mut rows = match lost {
            Some(lost) => self.rows(lost.bind(limit).bind(served)).await?,
            None => Vec::new(),
        };
        let queues = array(queues.in_statements())?;
        let mut rest = limit - i64::try_from(rows.len()).unwrap_or(limit);
        for (organization_id, starts) in allotted {
            let organization_id = organization_id.map(|id| id.to_string()).unwrap_or_default();
            let due =
                write_query(statements::DUE).bind(self.now).bind(count(*starts).min(rest)).bind(&queues);
            let due = self.rows(due.bind(organization_id)).await?;
            rest -= i64::try_from(due.len()).unwrap_or(rest);
            rows.extend(due);
        }
        written::candidates(&rows).map_err(store_error)
    }

    async fn expired(&mut self, limit: usize) -> Result<Vec<Candidate>> {
        let query = write_query(statements::EXPIRED).bind(self.now);
        let rows = self.rows(query.bind(count(limit))).await?;
        written::candidates(&rows).map_err(store_error)
    }

    async fn take(&mut self, claimant: &Claimant, ids: &[Uuid]) -> Result<HashMap<Uuid, Claimed>> {
        let query = write_query(statements::TAKE)
            .bind(array(ids)?)
            .bind(claimant.owner.to_string())
            .bind(self.lease_end(claimant));
        self.claims(claimant, query).await
    }

    async fn end_unclaimed(&mut self, owner: Option<Uuid>, rows: &[EndedRow<'_>]) -> Result<()> {
        let query = write_query(statements::END_UNCLAIMED)
            .bind(array(rows)?)
            .bind(owner.map(|owner| owner.to_string()));
        let query = query.bind(self.now);
        self.run(query).await
    }

    async fn renew(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<RenewedRow>> {
        let query = write_query(statements::RENEW)
            .bind(array(held)?)
            .bind(claimant.owner.to_string())
            .bind(self.lease_end(claimant));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| written::renewed(row).map_err(store_error)).collect()
    }

    async fn renew_locked(&mut self, _claimant: &Claimant, _held: &[Attempt]) -> Result<Vec<RenewedRow>> {
        // Nobody locks a row here: a transaction has all of the file.
        Ok(Vec::new())
    }

    async fn unheld_claims(&mut self, claimant: &Claimant, held: &[Attempt]) -> Result<Vec<Attempt>> {
        let query = write_query(statements::UNHELD)
            .bind(array(held)?)
            .bind(claimant.owner.to_string())
            .bind(self.now + micros(claimant.lease / 3));
        let rows = self.rows(query).await?;
        rows.iter().map(|row| written::attempt(row).map_err(store_error)).collect()
    }

    async fn record_started(&mut self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        let rows: Vec<_> = started
            .iter()
            .map(|(attempt, at)| EventRowIn::of(*attempt, Some(owner), "started").at(*at))
            .collect();
        let query = write_query(statements::RECORD_STARTED).bind(array(&rows)?).bind(owner.to_string());
        self.run(query).await
    }

    async fn budgets(&mut self, fences: &[Fence]) -> Result<HashMap<Attempt, AttemptBudget>> {
        let rows = self.rows(write_query(statements::BUDGETS).bind(array(fences)?)).await?;
        let read = |row| Ok((written::attempt(row)?, written::budget(row)?));
        rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn finish(
        &mut self,
        endings: &[EndingRow<'_>],
        lines: &[LogRowIn<'_>],
        events: &[EventRowIn<'_>],
    ) -> Result<WrittenAttempts> {
        let written = self.transaction.with(|file| {
            let written = each::finish(file, endings, self.now)?;
            each::insert_log_lines(file, lines.iter().filter(|line| written.contains_key(&line.fenced())))?;
            let events = events.iter().filter(|event| written.contains_key(&event.fenced()));
            each::insert_events(file, events, self.now)?;
            Ok(written)
        })?;
        if !written.is_empty() {
            let ids: Vec<Uuid> = written.keys().map(|attempt| attempt.execution_id).collect();
            self.note_webhooks(&ids).await?;
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
        let query = write_query(statements::REQUEUE).bind(array(rows)?).bind(self.now);
        written::written(&self.rows(query).await?).map_err(store_error)
    }

    async fn insert_logs(&mut self, lines: &[LogRowIn<'_>]) -> Result<()> {
        self.transaction.with(|file| each::insert_log_lines(file, lines.iter()))
    }

    async fn insert_events(&mut self, events: &[EventRowIn<'_>]) -> Result<()> {
        self.transaction.with(|file| each::insert_events(file, events.iter(), self.now))
    }

    async fn set_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        let query = write_query(statements::SET_STATE).bind(array(rows)?).bind(self.now);
        self.run(query).await
    }

    async fn delete_state(&mut self, rows: &[StateRow<'_>]) -> Result<()> {
        self.run(write_query(statements::DELETE_STATE).bind(array(rows)?)).await
    }

    async fn cancel_several(&mut self, ids: &[Uuid]) -> Result<Vec<CancelledRow>> {
        let query = write_query(statements::CANCEL_SEVERAL).bind(array(ids)?).bind(self.now);
        let rows = self.rows(query).await?;
        rows.iter().map(written::cancelled).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn displace(&mut self, rows: &[(Uuid, String)], may_run: bool) -> Result<Vec<CancelledRow>> {
        let query = write_query(statements::DISPLACE).bind(array(rows)?).bind(may_run).bind(self.now);
        let rows = self.rows(query).await?;
        rows.iter().map(written::cancelled).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn cancel(&mut self, id: Uuid) -> Result<Option<CancelledRow>> {
        let query = write_query(statements::CANCEL).bind(id.to_string()).bind(self.now);
        let rows = self.rows(query).await?;
        rows.first().map(written::cancelled).transpose().map_err(store_error)
    }

    async fn insert_unusable(&mut self, id: Uuid, failure: &ExecutionFailure) -> Result<bool> {
        let query = write_query(statements::FAIL_UNUSABLE)
            .bind(id.to_string())
            .bind(storable(&failure.error_type).into_owned())
            .bind(storable(&failure.message).into_owned())
            .bind(self.now);
        Ok(!self.rows(query).await?.is_empty())
    }

    async fn forget_unusable(&mut self, id: Uuid) -> Result<bool> {
        let forgotten = self.rows(write_query(statements::REOPEN_UNUSABLE).bind(id.to_string())).await?;
        if !forgotten.is_empty() {
            self.run(write_query(statements::DELETE_EVENTS).bind(id.to_string())).await?;
            self.run(write_query(statements::DELETE_DELIVERIES).bind(id.to_string())).await?;
        }
        Ok(!forgotten.is_empty())
    }
}
