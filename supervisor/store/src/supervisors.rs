//! Who the supervisors are, for whoever reads which of them ran an attempt. Nothing is decided by it.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Result;

/// One start of a supervisor: which process on which machine, and where it keeps its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Supervisor)]
pub struct SupervisorRecord {
    /// The boot of the supervisor, under which it claims; a new one with each start.
    pub id: Uuid,
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub process_id: u32,
    /// The folder of its files, its transcripts among them.
    pub data_dir: String,
    /// Where its API listens; `None` when it has none.
    pub http_address: Option<String>,
    /// When it started, by its own clock.
    pub started_at: Timestamp,
}

/// The supervisors that share the database or did so, by their ids.
#[async_trait]
pub trait SupervisorStore: Debug + Send + Sync + 'static {
    /// Writes who this supervisor is; again it changes nothing.
    async fn announce(&self, supervisor: &SupervisorRecord) -> Result<()>;

    /// Those of these that are known, in no order: one of an earlier version never said who it is.
    async fn supervisors(&self, ids: &[Uuid]) -> Result<Vec<SupervisorRecord>>;
}
