//! Who the supervisors are, for whoever reads which of them ran an attempt. Nothing is decided by it.

use std::fmt::Debug;

use async_trait::async_trait;
use muster_core::fleet::{FleetRecord, SupervisorRecord};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Result;

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
