//! A pending change: something a run asked for that happens with its outcome, or not at all.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Secrets;

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

impl Change {
    /// The change as watchers may see it.
    #[must_use]
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        match &mut self {
            Self::SetState { value, .. } | Self::Submit { parameters: value, .. } => {
                if let Cow::Owned(masked) = secrets.mask_json(value.get()) {
                    // What was JSON stays JSON, so it is never lost here.
                    *value = RawValue::from_string(masked).unwrap_or_else(|_| RawValue::NULL.to_owned());
                }
            }
            Self::DeleteState { .. } => {}
        }
        self
    }
}
