//! Forgetting executions that ended long ago, with their logs, events and deliveries: a few at a time, so that nobody
//! waits for it.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::Status;
use serde::{Deserialize, Serialize};

use crate::Result;

/// For how long executions are kept once they are over, as far as one says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetentionTerms {
    /// For how many days; 0 is for ever. `None`: nothing is said.
    pub days: Option<f64>,
    /// The same for those that failed or took too long; `None`: as the others.
    pub failed_days: Option<f64>,
}

/// Executions that are to go: those that came to this, before this moment.
#[derive(Clone, Copy, Debug)]
pub struct PruneRange {
    /// What they came to.
    pub status: Status,
    /// The moment before which they ended.
    pub before: Timestamp,
}

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunedRows {
    /// Executions.
    pub executions: u64,
    /// Lines of their logs.
    pub logs: u64,
    /// Their events.
    pub events: u64,
}

impl PrunedRows {
    /// The same and these.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            executions: self.executions + other.executions,
            logs: self.logs + other.logs,
            events: self.events + other.events,
        }
    }
}

/// Forgets what ended long ago. What is not published yet stays until it was, and so does what a webhook is still to be told of.
#[async_trait]
pub trait RetentionStore: Debug + Send + Sync + 'static {
    /// Removes the oldest of these, so many at most, in a transaction of its own. Of several supervisors that do so at the
    /// same time one does, and the others remove nothing.
    async fn prune(&self, range: PruneRange, limit: usize) -> Result<PrunedRows>;

    /// What would go if all of these went.
    async fn prunable(&self, range: PruneRange) -> Result<PrunedRows>;
}
