//! What is sent about pauses within a transaction.

use uuid::Uuid;

use super::columns::column;
use super::error::store_error;
use super::read::count;
use super::session::record;
use super::statements;
use super::transaction::PgSession;
use crate::columns::TimeColumn;
use crate::limits::HeldLimit;
use crate::limits::admission::WaitsFor;
use crate::pauses::{NotedChange, PauseSession, SubjectRow};
use crate::{Cursor, PauseRecord, PauseTarget, Result};

impl PauseSession for PgSession {
    async fn all_pauses(&mut self) -> Result<Vec<PauseRecord>> {
        record::pauses(&self.rows(sqlx::query(statements::PAUSES)).await?).map_err(store_error)
    }

    async fn put_pause(&mut self, target: &PauseTarget, who: &str, why: Option<&str>) -> Result<()> {
        let query = sqlx::query(statements::PUT_PAUSE).bind(target.kind()).bind(target.name());
        self.run(query.bind(who.to_owned()).bind(why.map(str::to_owned))).await
    }

    async fn remove_pause(&mut self, target: &PauseTarget) -> Result<()> {
        self.run(sqlx::query(statements::REMOVE_PAUSE).bind(target.kind()).bind(target.name())).await
    }

    async fn note_change(&mut self, change: &NotedChange<'_>) -> Result<()> {
        let query = sqlx::query(statements::INSERT_CHANGE)
            .bind(change.who.to_owned())
            .bind(change.kind)
            .bind(change.name.to_owned())
            .bind(change.organization.map(str::to_owned))
            .bind(change.before.map(str::to_owned))
            .bind(change.after.map(str::to_owned));
        self.run(query).await
    }

    async fn subjects(&mut self, ids: &[Uuid]) -> Result<Vec<SubjectRow>> {
        let rows = self.rows(sqlx::query(statements::SUBJECTS).bind(ids)).await?;
        rows.iter().map(record::subject).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn set_down(&mut self, rows: &[(Uuid, Option<WaitsFor>)]) -> Result<()> {
        let query = sqlx::query(statements::SET_DOWN)
            .bind(column(rows, |(id, _)| *id))
            .bind(column(rows, |(_, waits_for)| waits_for.as_ref().map(ToString::to_string)));
        self.run(query).await
    }

    async fn waiting_rows_of(
        &mut self,
        target: &PauseTarget,
        behind: Cursor,
        most: usize,
    ) -> Result<Vec<Cursor>> {
        let statement = match target {
            PauseTarget::Workflow(_) => statements::WAITING_OF_WORKFLOW,
            PauseTarget::Organization(_) => statements::WAITING_OF_ORGANIZATION,
            PauseTarget::All | PauseTarget::Queue(_) => return Ok(Vec::new()),
        };
        let query = sqlx::query(statement).bind(target.name()).bind(TimeColumn(behind.created_at));
        let rows = self.rows(query.bind(behind.id).bind(count(most))).await?;
        rows.iter().map(record::place).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn park_for_pause(&mut self, ids: &[Uuid], waits_for: &WaitsFor) -> Result<Vec<Vec<HeldLimit>>> {
        let query = sqlx::query(statements::PARK_FOR_PAUSE).bind(ids).bind(waits_for.to_string());
        let rows = self.rows(query).await?;
        rows.iter().map(record::limits).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn unpark(&mut self, waits_for: &WaitsFor, most: usize) -> Result<usize> {
        let query = sqlx::query(statements::UNPARK).bind(waits_for.to_string()).bind(count(most));
        Ok(self.rows(query).await?.len())
    }
}
