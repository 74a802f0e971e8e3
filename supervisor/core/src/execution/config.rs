//! What an execution may read of its configuration.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The merged configuration a run may read, by key. Secrets are among the values.
pub type RunConfig = BTreeMap<String, Box<RawValue>>;
