//! Who the supervisors are, and how each was when it said so last. Nothing is decided by it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

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
