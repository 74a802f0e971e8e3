//! Pauses for whoever sets them, asks about them, and does what they ask for.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{PauseSubject, PauseTarget, Pauses};
use crate::{Cursor, NewExecution, Result};

/// A pause.
#[derive(Clone, Debug, PartialEq)]
pub struct PauseRecord {
    /// What is paused.
    pub target: PauseTarget,
    /// Who asked for it, as far as they said, and from where.
    pub who: String,
    /// The reason, in their words.
    pub why: Option<String>,
    /// The moment from which on nothing of it was started.
    pub since: Timestamp,
    /// Of a workflow: the ids of what is defined by its name.
    pub workflow_ids: Vec<Uuid>,
    /// Of an organization: the key it is known by, if it has one.
    pub organization_key: Option<String>,
}

impl PauseRecord {
    /// What is paused, in the words of those who pause: an organization by its key.
    pub fn called(&self) -> String {
        match &self.organization_key {
            Some(key) => format!("organization:{key}"),
            None => self.target.to_string(),
        }
    }

    /// Whether this execution is kept by it.
    pub(super) fn is_about(&self, subject: PauseSubject<'_>) -> bool {
        match &self.target {
            PauseTarget::All => true,
            PauseTarget::Queue(name) => subject.queue == Some(name),
            PauseTarget::Workflow(name) => {
                subject.workflow_name == Some(name)
                    || subject.workflow_id.is_some_and(|id| self.workflow_ids.contains(&id))
            }
            PauseTarget::Organization(id) => subject.organization_id == Some(*id),
        }
    }
}

/// What is paused, and what is done about it.
#[async_trait]
pub trait PauseStore: Debug + Send + Sync + 'static {
    /// Reads what is paused; this process obeys it from now on.
    async fn pauses(&self) -> Result<Arc<Pauses>>;

    /// What this process obeys.
    fn known_pauses(&self) -> Arc<Pauses>;

    /// Those of them that keep a new execution from starting, in the queue that it is to wait in.
    fn pauses_keeping(&self, new: &NewExecution) -> Vec<PauseRecord>;

    /// Pauses this: nothing of it starts here from now on, and within a second nowhere. A second time it says who and why
    /// anew. `who` and `why` are kept with it and among the changes.
    async fn pause(&self, target: &PauseTarget, who: &str, why: Option<&str>) -> Result<PauseRecord>;

    /// Lets it start again, in its order. False: it was not paused.
    async fn resume(&self, target: &PauseTarget, who: &str) -> Result<bool>;

    /// Whose rows are to be taken out of the claim because they were paused since the last call.
    fn newly_paused(&self) -> Vec<PauseTarget>;

    /// Takes some rows of this out of the claim, if it is paused still: those behind a place in the order in which they
    /// were made. Gives the place up to where it looked; `None` when there are no more.
    async fn park_paused(&self, target: &PauseTarget, behind: Option<Cursor>) -> Result<Option<Cursor>>;

    /// Gives rows back to the claim that wait for something that is not paused any more; gives how many, up to some at once.
    async fn let_go_resumed(&self) -> Result<usize>;
}
