//! Who the supervisors on this database are and were.

use async_trait::async_trait;
use muster_core::fleet::{FleetRecord, SupervisorRecord};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::read::all;
use super::session::record;
use super::{PostgresStore, statements};
use crate::columns::TimeColumn;
use crate::{Result, SupervisorStore};

#[async_trait]
impl SupervisorStore for PostgresStore {
    async fn announce(&self, supervisor: &SupervisorRecord) -> Result<()> {
        let query = || {
            sqlx::query(statements::ANNOUNCE)
                .bind(supervisor.id)
                .bind(&supervisor.host)
                .bind(i64::from(supervisor.process_id))
                .bind(&supervisor.data_dir)
                .bind(&supervisor.http_address)
                .bind(TimeColumn(supervisor.started_at))
        };
        all(self, query, record::supervisor).await.map(drop)
    }

    async fn supervisors(&self, ids: &[Uuid]) -> Result<Vec<SupervisorRecord>> {
        all(self, || sqlx::query(statements::SUPERVISORS).bind(ids), record::supervisor).await
    }

    async fn show_supervisor(&self, id: Uuid, version: &str, state: &RawValue) -> Result<()> {
        let query = || sqlx::query(statements::SHOW_SUPERVISOR).bind(id).bind(version).bind(state.get());
        all(self, query, record::supervisor).await.map(drop)
    }

    async fn fleet(&self) -> Result<Vec<FleetRecord>> {
        all(self, || sqlx::query(statements::FLEET), record::fleet).await
    }
}
