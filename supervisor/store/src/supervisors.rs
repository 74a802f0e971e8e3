//! Who the supervisors are, for whoever reads which of them ran an attempt. Nothing is decided by it.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
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

/// A supervisor as the others see it.
#[derive(Clone, Debug)]
pub struct FleetRecord {
    /// Who it is.
    pub supervisor: SupervisorRecord,
    /// Its version; `None` of one that has not said how it is.
    pub version: Option<String>,
    /// How it is, a JSON object in its own words; `None` of one that has not said it.
    pub state: Option<Box<RawValue>>,
    /// How long ago it said so, by the clock of the database.
    pub silent_for: Option<Duration>,
    /// The number of RUNNING rows that are in its name.
    pub holds: u64,
}

/// The supervisors that share the database or did so.
#[async_trait]
pub trait SupervisorStore: Debug + Send + Sync + 'static {
    /// Writes who this supervisor is; again it changes nothing.
    async fn announce(&self, supervisor: &SupervisorRecord) -> Result<()>;

    /// Those of these that are known, in no order: one of an earlier version never said who it is.
    async fn supervisors(&self, ids: &[Uuid]) -> Result<Vec<SupervisorRecord>>;

    /// Writes how a supervisor is that has announced itself: its version, and a JSON object for the others to read.
    async fn show_supervisor(&self, id: Uuid, version: &str, state: &RawValue) -> Result<()>;

    /// Those that were seen within a day, or hold anything still, by their starts.
    async fn fleet(&self) -> Result<Vec<FleetRecord>>;
}
