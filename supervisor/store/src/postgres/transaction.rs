//! Beginning and ending what writes, and talking to the server meanwhile.
//!
//! A session is one transaction of several statements, or one statement that is its own: then nothing is sent
//! but the statement, and its answer is the commit's.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use tokio::sync::Notify;
use uuid::Uuid;

use super::connections::{BorrowedConnection, Connections};
use super::error::{commit_unknown, silent, store_error};
use super::read::all;
use super::session::record;
use super::{BACKEND, PostgresStore, StoreShared, statements};
use crate::limits::{DisplacedBook, SweepPlaces, WorkflowBook};
use crate::pauses::PauseBook;
use crate::session::{Backend, Extent, Purpose};
use crate::{Claimed, Result, StoreError};

pub(super) type PostgresQuery<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// How long any one statement may take before the connection counts as dead.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A transaction. Whoever drops it uncommitted loses its connection too.
pub(crate) struct PgSession {
    lent: BorrowedConnection,
    from: Arc<Connections>,
    pub(super) store: Arc<StoreShared>,
    extent: Extent,
    timeout: Duration,
}

impl Backend for PostgresStore {
    const PLANS_MAX: u32 = super::PLANS_MAX;

    type Session = PgSession;

    async fn begin(&self, purpose: Purpose, extent: Extent) -> Result<PgSession> {
        let (from, timeout) = match (purpose, extent) {
            (Purpose::Renew { lease }, _) => (&self.shared.renewals, lease / 3),
            (Purpose::Claim | Purpose::Read | Purpose::Tend | Purpose::Write, Extent::OneStatement) => {
                (&self.shared.statements, STATEMENT_TIMEOUT)
            }
            (Purpose::Claim | Purpose::Read | Purpose::Tend | Purpose::Write, Extent::Several) => {
                (&self.shared.transactions, STATEMENT_TIMEOUT)
            }
        };
        if purpose == Purpose::Claim {
            self.shared.presence.ready().await?;
        }
        // A server that was restarted leaves dead connections; beginning finds them.
        let mut tries_left = from.max();
        loop {
            let lent = within(timeout, from.borrow()).await?;
            let (from, store) = (Arc::clone(from), Arc::clone(&self.shared));
            let mut session = PgSession { lent, from, store, extent, timeout };
            let begun = match extent {
                Extent::OneStatement => Ok(()),
                Extent::Several => session.open(purpose).await,
            };
            match begun {
                Ok(()) => return Ok(session),
                Err(error @ StoreError::Unreachable { .. }) if tries_left == 0 => return Err(error),
                Err(StoreError::Unreachable { .. }) => tries_left -= 1,
                Err(error) => return Err(error),
            }
        }
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
        self.shared.wakers.pending.notify_one();
    }

    /// The database tells.
    fn definitions_written(&self) {}

    async fn claims_of(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        all(self, || sqlx::query(statements::CLAIMED_BY).bind(ids).bind(owner), record::claimed).await
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(store_error),
        Err(_) => Err(StoreError::Unreachable { backend: BACKEND, message: silent(limit) }),
    }
}

/// The same for what commits: where the answer is lost, nobody knows.
async fn committed<T>(limit: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(commit_unknown),
        Err(_) => Err(StoreError::CommitUnknown { backend: BACKEND, message: silent(limit) }),
    }
}

impl PgSession {
    async fn open(&mut self, purpose: Purpose) -> Result<()> {
        match purpose {
            // Whoever has locked a row must not hold up what is written together with it.
            Purpose::Write => return self.order("BEGIN; SET LOCAL lock_timeout = '1s'").await,
            // Others wait for the limits that it has locked, and a write to the disk is most of the time that they wait.
            Purpose::Tend => {
                let begin = "BEGIN; SET LOCAL lock_timeout = '1s'; SET LOCAL synchronous_commit = off";
                return self.order(begin).await;
            }
            // It passes by the rows that are locked, and measures how long a table is.
            Purpose::Claim | Purpose::Read => return self.order("BEGIN").await,
            Purpose::Renew { .. } => {}
        }
        // What we do not wait for any longer the server must not do later.
        let limit = self.timeout.as_millis().max(1);
        let begin = sqlx::AssertSqlSafe(format!("BEGIN; SET LOCAL statement_timeout = {limit}"));
        within(self.timeout, self.lent.connection.execute(begin)).await.map(drop)
    }

    /// Sends a word about the transaction itself.
    pub(super) async fn order(&mut self, word: &'static str) -> Result<()> {
        within(self.timeout, self.lent.connection.execute(word)).await.map(drop)
    }

    /// Commits, and gives the connection back: only now is it good for anybody else.
    pub(super) async fn close(mut self) -> Result<()> {
        if self.extent == Extent::Several {
            committed(self.timeout, self.lent.connection.execute("COMMIT")).await?;
        }
        self.from.give_back(self.lent);
        Ok(())
    }

    /// Rolls back. The connection is not given back: what failed on it may be a plan it has kept. A server that does
    /// not answer lets go when it sees the connection gone.
    pub(super) async fn abandon(mut self) {
        if self.extent == Extent::Several {
            drop(self.order("ROLLBACK").await);
        }
    }

    pub(super) async fn rows(&mut self, query: PostgresQuery<'_>) -> Result<Vec<PgRow>> {
        let answer = query.fetch_all(&mut self.lent.connection);
        match self.extent {
            Extent::OneStatement => committed(self.timeout, answer).await,
            Extent::Several => within(self.timeout, answer).await,
        }
    }

    pub(super) async fn run(&mut self, query: PostgresQuery<'_>) -> Result<()> {
        self.rows(query).await.map(drop)
    }
}
