//! Who wrote to the file: one supervisor at a time, another after each start.

use std::time::Duration;

use async_trait::async_trait;
use muster_core::fleet::{FleetRecord, SupervisorRecord};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::read::all;
use super::rows::write_query;
use super::session::{array, record};
use super::{SqliteStore, statements};
use crate::columns::now;
use crate::rows::micros;
use crate::{Result, SupervisorStore};

/// How long one is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[async_trait]
impl SupervisorStore for SqliteStore {
    async fn announce(&self, supervisor: &SupervisorRecord) -> Result<()> {
        let before = now().as_microsecond() - micros(REMEMBERED_FOR);
        let forget = write_query(statements::FORGET_SUPERVISORS).bind(before);
        self.write(forget).await?;
        let announce = write_query(statements::ANNOUNCE)
            .bind(supervisor.id.to_string())
            .bind(&supervisor.host)
            .bind(supervisor.process_id)
            .bind(&supervisor.data_dir)
            .bind(&supervisor.http_address)
            .bind(supervisor.started_at.as_microsecond());
        self.write(announce).await?;
        Ok(())
    }

    async fn supervisors(&self, ids: &[Uuid]) -> Result<Vec<SupervisorRecord>> {
        all(self, sqlx::query(statements::SUPERVISORS).bind(array(ids)?), record::supervisor).await
    }

    async fn show_supervisor(&self, id: Uuid, version: &str, state: &RawValue) -> Result<()> {
        let show = write_query(statements::SHOW_SUPERVISOR)
            .bind(id.to_string())
            .bind(version)
            .bind(state.get())
            .bind(now().as_microsecond());
        self.write(show).await?;
        Ok(())
    }

    async fn fleet(&self) -> Result<Vec<FleetRecord>> {
        all(self, sqlx::query(statements::FLEET).bind(now().as_microsecond()), record::fleet).await
    }
}
