//! What a worker will be told to run.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::{Attempt, RunConfig, Secrets};
use muster_core::pool::Assignment;
use muster_protocol::{CodeSource, JsonBytes};
use uuid::Uuid;

/// One attempt, with everything its worker needs.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Which attempt.
    pub attempt: Attempt,
    /// The time it has from Started; `None` means no limit.
    pub timeout: Option<Duration>,
    /// The workflow's name.
    pub workflow: String,
    /// What code to run.
    pub source: CodeSource,
    /// The parameters.
    pub params: JsonBytes,
    /// Who and what for.
    pub context: JsonBytes,
    /// Whose state it reads and writes; `None` is the global one.
    pub organization_id: Option<Uuid>,
    /// What `config.get` answers from.
    pub config: Arc<RunConfig>,
    /// The secret ones among its values: masked in logs, errors and transcripts.
    pub secrets: Arc<Secrets>,
    /// Nothing that waits is started once this one has ended without success.
    pub halts: bool,
}

impl RunSpec {
    pub(super) fn assignment(&self) -> Assignment {
        Assignment {
            attempt: self.attempt,
            organization_id: self.organization_id,
            timeout: self.timeout,
            halts: self.halts,
        }
    }
}
