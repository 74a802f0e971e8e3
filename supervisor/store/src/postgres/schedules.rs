//! Schedules: who makes the execution of a tick.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::columns::column;
use super::error::store_error;
use super::read::{all, count, one};
use super::session::record;
use super::transaction::PgSession;
use super::waiting::duration;
use super::{PostgresStore, statements};
use crate::Result;
use crate::columns::TimeColumn;
use crate::flow::advance_schedules;
use crate::schedules::{DueSchedule, ScheduleAdvance, ScheduleAdvanced, ScheduleSession, ScheduleStore};

#[async_trait]
impl ScheduleStore for PostgresStore {
    async fn due_schedules(&self, limit: usize) -> Result<Vec<DueSchedule>> {
        all(self, || sqlx::query(statements::DUE_SCHEDULES).bind(count(limit)), record::due_schedule).await
    }

    async fn next_tick(&self) -> Result<Option<Duration>> {
        let found = one(self, || sqlx::query(statements::NEXT_TICK), |row| duration(row, "wait_us")).await?;
        Ok(found.flatten())
    }

    async fn advance_schedules(&self, advances: &[ScheduleAdvance]) -> Result<Vec<ScheduleAdvanced>> {
        advance_schedules(self, advances).await
    }

    async fn note_schedule_run(&self, id: Uuid, at: Timestamp, execution: Uuid) -> Result<()> {
        let note =
            || sqlx::query(statements::NOTE_SCHEDULE_RUN).bind(id).bind(TimeColumn(at)).bind(execution);
        all(self, note, |_| Ok(())).await.map(drop)
    }
}

impl ScheduleSession for PgSession {
    async fn advance_schedules(&mut self, advances: &[ScheduleAdvance]) -> Result<HashSet<Uuid>> {
        let moment = |at: fn(&ScheduleAdvance) -> Option<Timestamp>| {
            column(advances, |advance| at(advance).map(TimeColumn))
        };
        let execution = |advance: &ScheduleAdvance| advance.execution.as_ref().map(|new| new.id);
        let query = sqlx::query(statements::ADVANCE_SCHEDULES)
            .bind(column(advances, |advance| advance.id))
            .bind(moment(|advance| advance.from))
            .bind(moment(|advance| advance.next_at))
            .bind(moment(|advance| advance.due_at))
            .bind(moment(|advance| advance.done))
            .bind(column(advances, execution))
            .bind(column(advances, |advance| advance.outcome));
        record::ids(&self.rows(query).await?).map_err(store_error)
    }
}
