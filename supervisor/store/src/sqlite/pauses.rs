//! What is sent about pauses within a transaction.

use uuid::Uuid;

use super::error::store_error;
use super::read::count;
use super::rows::write_query;
use super::session::{SqliteSession, array, written as record};
use super::statements;
use crate::limits::HeldLimit;
use crate::limits::admission::WaitsFor;
use crate::pauses::{NotedChange, PauseSession, SubjectRow};
use crate::{Cursor, PauseRecord, PauseTarget, Result};

impl PauseSession for SqliteSession {
    async fn all_pauses(&mut self) -> Result<Vec<PauseRecord>> {
        record::pauses(&self.rows(write_query(statements::PAUSES)).await?).map_err(store_error)
    }

    async fn put_pause(&mut self, target: &PauseTarget, who: &str, why: Option<&str>) -> Result<()> {
        let query = write_query(statements::PUT_PAUSE).bind(target.kind()).bind(target.name());
        let query = query.bind(who.to_owned()).bind(why.map(str::to_owned)).bind(self.now());
        self.run(query).await
    }

    async fn remove_pause(&mut self, target: &PauseTarget) -> Result<()> {
        self.run(write_query(statements::REMOVE_PAUSE).bind(target.kind()).bind(target.name())).await
    }

    async fn note_change(&mut self, change: &NotedChange<'_>) -> Result<()> {
        let query = write_query(statements::INSERT_CHANGE)
            .bind(change.who.to_owned())
            .bind(change.kind)
            .bind(change.name.to_owned())
            .bind(change.organization.map(str::to_owned))
            .bind(change.before.map(str::to_owned))
            .bind(change.after.map(str::to_owned))
            .bind(self.now());
        self.run(query).await
    }

    async fn subjects(&mut self, ids: &[Uuid]) -> Result<Vec<SubjectRow>> {
        let rows = self.rows(write_query(statements::SUBJECTS).bind(array(ids)?)).await?;
        rows.iter().map(record::subject).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn set_down(&mut self, rows: &[(Uuid, Option<WaitsFor>)]) -> Result<()> {
        let text = |waits_for: &Option<WaitsFor>| waits_for.as_ref().map(ToString::to_string);
        let rows: Vec<_> = rows.iter().map(|(id, waits_for)| (id, text(waits_for))).collect();
        self.run(write_query(statements::SET_DOWN).bind(array(&rows)?)).await
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
        let query = write_query(statement).bind(target.name()).bind(behind.created_at.as_microsecond());
        let rows = self.rows(query.bind(behind.id.to_string()).bind(count(most))).await?;
        rows.iter().map(record::place).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn park_for_pause(&mut self, ids: &[Uuid], waits_for: &WaitsFor) -> Result<Vec<Vec<HeldLimit>>> {
        let query = write_query(statements::PARK_FOR_PAUSE).bind(array(ids)?).bind(waits_for.to_string());
        let rows = self.rows(query).await?;
        rows.iter().map(record::limits).collect::<sqlx::Result<_>>().map_err(store_error)
    }

    async fn unpark(&mut self, waits_for: &WaitsFor, most: usize) -> Result<usize> {
        let query = write_query(statements::UNPARK).bind(waits_for.to_string()).bind(count(most));
        Ok(self.rows(query).await?.len())
    }
}
