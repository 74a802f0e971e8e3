//! What a run needs to know besides its request, fetched before it is routed: the workflow, the organization
//! and the merged configuration.
//!
//! One load serves everybody who asks for the same thing at the same time, and a short while after; it runs
//! in a task of its own, so it survives whoever asked first. Supervisors share what they loaded through the
//! bus; without the bus the store alone will do. What somebody changes is seen by all of them at once: what was loaded
//! at another version of the definitions is forgotten, and what another shared of it is not believed. Secrets come from the store only and stay in memory.
//!
//! [`prepare()`] then makes of a claimed execution what the worker is told. It is pure.

mod load;
mod prepare;
mod single_flight;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

pub use load::Prewarm;
pub use prepare::{PreparedExecution, prepare, resolve};

use muster_core::execution::{RunConfig, Secrets, Target};
use muster_store::{ExecutionFailure, OrganizationRecord, WorkflowRecord};

/// Which workflow is to be prewarmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The workflow is the row with this id.
    Id(Uuid),
    /// The active row of this name, if there is one.
    Name(String),
    /// None: the code comes with the request.
    Code,
}

impl From<&Target> for Subject {
    fn from(target: &Target) -> Self {
        match target {
            Target::Id { workflow_id } => Self::Id(*workflow_id),
            Target::Name { workflow } => Self::Name(workflow.clone()),
            Target::Code { .. } => Self::Code,
        }
    }
}

/// What was fetched for a workflow and an organization.
#[derive(Debug)]
pub struct ResolvedWorkflow {
    /// The workflow's row; `None` for inline code and for names only the worker knows.
    pub workflow: Option<WorkflowRecord>,
    /// Whose run it is: the workflow's own organization, else the caller's.
    pub organization: Option<OrganizationRecord>,
    /// What the run may read. Secrets are among the values.
    pub config: Arc<RunConfig>,
    /// The secret ones among the values.
    pub secrets: Arc<Secrets>,
    /// `config` as a JSON object.
    pub(crate) config_json: Box<RawValue>,
    /// The same without secrets; `None` when there are none, so that `config_json` may be shown.
    pub(crate) shown_config_json: Option<Box<RawValue>>,
}

/// Why an execution could not be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrewarmError {
    /// The store did not answer: release the execution uncharged and try again later.
    #[error("the configuration could not be fetched: {0}")]
    Unavailable(String),
    /// It cannot be run: this is its failure.
    #[error("{}: {}", .0.error_type, .0.message)]
    Refused(ExecutionFailure),
}

impl PrewarmError {
    fn refused(error_type: &str, message: impl Into<String>) -> Self {
        Self::Refused(ExecutionFailure::new(error_type, message))
    }
}
