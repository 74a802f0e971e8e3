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
        /// The key within the execution's scope.
        key: String,
        /// The new value, JSON text.
        value: Box<RawValue>,
    },
    /// The entry under this key is removed, if there is one.
    DeleteState {
        /// The key within the execution's scope.
        key: String,
    },
    /// Run another workflow: the child's row commits with the parent's outcome.
    Submit {
        /// The child's id, already told to the run.
        execution_id: Uuid,
        /// The name of the child's workflow.
        workflow: String,
        /// The child's parameters, byte for byte as they were given.
        parameters: Box<RawValue>,
    },
}

impl Change {
    /// What it costs in memory, for the bound of a run's changes.
    pub fn size_bytes(&self) -> usize {
        let payload = match self {
            Self::SetState { key, value } => key.len() + value.get().len(),
            Self::DeleteState { key } => key.len(),
            Self::Submit { workflow, parameters, .. } => workflow.len() + parameters.get().len(),
        };
        size_of::<Self>() + payload
    }

    /// The change as watchers may see it.
    #[must_use]
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        match &mut self {
            Self::SetState { key, .. } | Self::DeleteState { key } => secrets.mask_in(key),
            Self::Submit { workflow, .. } => secrets.mask_in(workflow),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_also_in_a_key() {
        let secrets = Secrets::of([("token", r#""s3cret-key""#)]);
        let value = RawValue::from_string(r#"{"s3cret-key":"s3cret-key"}"#.to_owned()).unwrap();
        let set = Change::SetState { key: "of s3cret-key".to_owned(), value };
        let shown = serde_json::to_string(&set.masked(&secrets)).unwrap();
        assert_eq!(shown, r#"{"change":"set_state","key":"of ***","value":{"***":"***"}}"#);
        let delete = Change::DeleteState { key: "s3cret-key".to_owned() };
        let shown = serde_json::to_string(&delete.masked(&secrets)).unwrap();
        assert_eq!(shown, r#"{"change":"delete_state","key":"***"}"#);
    }
}
