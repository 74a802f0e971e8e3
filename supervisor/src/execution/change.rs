//! A pending change: something a run asked for that happens with its outcome, or not at all.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What a run asked for through its calls. Applied in the finalization transaction, in order; dropped if the
/// attempt is superseded or retried.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// Store a value under a key of the organization.
    SetState {
        /// Which key.
        key: String,
        /// What.
        value: Box<RawValue>,
    },
    /// Remove a key.
    DeleteState {
        /// Which key.
        key: String,
    },
    /// Run another workflow: the child's row commits with the parent's outcome.
    Submit {
        /// The child's id, already told to the run.
        execution_id: Uuid,
        /// The workflow's name.
        workflow: String,
        /// Its parameters.
        parameters: Box<RawValue>,
    },
}
