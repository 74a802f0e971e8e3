//! Schedules: who makes the execution of a tick.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Row as _;
use uuid::Uuid;

use super::definitions::text;
use super::read::{all, count, one};
use super::rows::write_query;
use super::session::{SqliteSession, record};
use super::{SqliteStore, statements};
use crate::Result;
use crate::columns::now;
use crate::flow::advance_schedules;
use crate::schedules::{DueSchedule, ScheduleAdvance, ScheduleAdvanced, ScheduleSession, ScheduleStore};

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn due_schedules(&self, limit: usize) -> Result<Vec<DueSchedule>> {
        let query = sqlx::query(statements::DUE_SCHEDULES).bind(count(limit)).bind(now().as_microsecond());
        all(self, query, record::due_schedule).await
    }

    async fn next_tick(&self) -> Result<Option<Duration>> {
        let query = sqlx::query(statements::NEXT_TICK).bind(now().as_microsecond());
        let due: Option<Option<i64>> = one(self, query, |row| row.try_get("due")).await?;
        let until =
            |due: i64| Duration::from_micros(u64::try_from(due - now().as_microsecond()).unwrap_or(0));
        Ok(due.flatten().map(until))
    }

    async fn advance_schedules(&self, advances: &[ScheduleAdvance]) -> Result<Vec<ScheduleAdvanced>> {
        advance_schedules(self, advances).await
    }

    async fn note_schedule_run(&self, id: Uuid, at: Timestamp, execution: Uuid) -> Result<()> {
        let note = write_query(statements::NOTE_SCHEDULE_RUN)
            .bind(id.to_string())
            .bind(at.as_microsecond())
            .bind(execution.to_string());
        self.write(note).await
    }
}

impl ScheduleSession for SqliteSession {
    async fn advance_schedules(&mut self, advances: &[ScheduleAdvance]) -> Result<HashSet<Uuid>> {
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
        let mut ours = HashSet::new();
        for advance in advances {
            let query = write_query(statements::ADVANCE_SCHEDULES)
                .bind(advance.id.to_string())
                .bind(micros(advance.from))
                .bind(micros(advance.next_at))
                .bind(micros(advance.due_at))
                .bind(micros(advance.done))
                .bind(text(advance.execution.as_ref().map(|execution| execution.id)))
                .bind(advance.outcome);
            if !self.rows(query).await?.is_empty() {
                ours.insert(advance.id);
            }
        }
        Ok(ours)
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;

    use super::*;
    use crate::{Durability, NewExecution, QueueStore as _, SchemaStore as _};

    /// Read as none, another would run beside it.
    #[tokio::test]
    async fn an_execution_that_cannot_be_read_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Normal).await.unwrap();
        store.migrate().await.unwrap();
        let body = format!(r#"{{"execution_id":"{}","workflow":"w"}}"#, Uuid::now_v7());
        let new = NewExecution::of(&ExecutionRequest::parse(body.as_bytes()).unwrap(), 3);
        store.submit(&[new]).await.unwrap();
        let schedule = "INSERT INTO schedules (
                id, name, workflow, cron, time_zone, overlap, missed, missed_seconds, jitter_seconds, earlier_executions
            ) VALUES (?1, 'nightly', 'w', '@daily', 'UTC', 'skip', 'skip', 0, 0, '[\"torn\"]')";
        store.write(write_query(schedule).bind(Uuid::now_v7().to_string())).await.unwrap();
        assert!(
            store.due_schedules(10).await.unwrap()[0].unfinished.is_empty(),
            "there is no such execution"
        );
        store.write(write_query("UPDATE executions SET id = 'torn'")).await.unwrap();
        let error = store.due_schedules(10).await.unwrap_err().to_string();
        assert!(error.contains("executions of the schedule \"nightly\""), "{error}");
    }
}
