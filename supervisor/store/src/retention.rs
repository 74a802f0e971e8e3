//! Forgetting executions that ended long ago, with their logs, events and deliveries: a few at a time, so that nobody
//! waits for it.
//!
//! Whoever forgets walks: from the oldest on, a few rows at a step, and on from where the last step ended. So what stays, because
//! it is kept for longer or somebody is still to be told of it, is looked at once a walk and not once a step.

use std::fmt::Debug;
use std::future::Future;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::Status;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Cursor, Result};

/// For how long executions are kept once they are over, as far as one says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RetentionTerms {
    /// For how many days; 0 is for ever. `None`: nothing is said.
    pub days: Option<f64>,
    /// The same for those that failed or took too long; `None`: as the others.
    pub failed_days: Option<f64>,
}

/// Executions that are walked over: those that came to this, before this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneRange {
    /// What they came to.
    pub status: Status,
    /// The moment before which they ended.
    pub before: Timestamp,
    /// Of which workflows they are.
    pub scope: PruneScope,
}

/// The workflows whose executions are walked over. Each is found by an index of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PruneScope {
    /// All of them.
    Everything,
    /// Those of this name, whoever's they are.
    Workflow(String),
    /// Those that were asked for by their id, so that their executions have no name.
    Nameless,
}

/// An execution that ended before the moment of a range, to be decided about.
#[derive(Clone, Debug)]
pub struct EndedExecution {
    /// The id of the execution.
    pub id: Uuid,
    /// The row of its workflow, when it names one.
    pub workflow_id: Option<Uuid>,
    /// The name of its workflow; `None` when only its id is known.
    pub workflow_name: Option<String>,
    /// The organization it ran for.
    pub organization_id: Option<Uuid>,
    /// When it was submitted: its place in the walk.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
    /// It ended before the moment, its outcome was published, and nobody is still to be told of it.
    pub may_go: bool,
}

/// Which of those that may go are to go.
pub type PruneRule<'a> = &'a (dyn Fn(&EndedExecution) -> bool + Send + Sync);

/// What one step of a walk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneStep {
    /// Another supervisor removes at this moment; nothing was looked at.
    NotOurTurn,
    /// Some were looked at.
    Looked {
        /// What went, or would go.
        rows: PrunedRows,
        /// The last one that was looked at: the next step begins behind it. `None`: none was left.
        last: Option<Cursor>,
        /// There are no others behind it.
        is_end: bool,
    },
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
    /// Looks at so many of these at most, the oldest behind this place, and removes those that may go and are to go, in a
    /// transaction of its own. Of several supervisors that do so at the same time one does.
    async fn prune(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep>;

    /// The same without removing any: tells what would go, and takes no turn.
    async fn prunable(
        &self,
        range: &PruneRange,
        behind: Option<Cursor>,
        limit: usize,
        rule: PruneRule<'_>,
    ) -> Result<PruneStep>;
}

/// The part of a transaction that forgets. Methods take no empty lists.
pub(crate) trait RetentionSession: Send {
    /// Takes the turn to remove until this is over. False: another has it.
    fn take_turn_to_prune(&mut self) -> impl Future<Output = Result<bool>> + Send;

    /// So many of these at most, by their place, from behind this one on.
    fn ended(
        &mut self,
        range: &PruneRange,
        behind: Cursor,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<EndedExecution>>> + Send;

    /// Removes those of these that are over, with all that hangs on them. Passes by what somebody has locked.
    fn forget(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<PrunedRows>> + Send;

    /// How many lines and events these have.
    fn count_with(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<PrunedRows>> + Send;
}
