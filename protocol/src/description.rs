//! What code declares of itself: policies that the supervisor enforces. The layout is frozen: see SPEC.md.

use serde::{Deserialize, Serialize};

use crate::codec::{Decode, Encode};
use crate::shared::{ErrorInfo, JsonBytes};

/// One workflow, as its code declares it. What is not declared is left to the workflow's row and the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub struct WorkflowDescription {
    /// The name by which the workflow is submitted.
    pub name: String,
    /// A line or two for people.
    #[serde(default)]
    pub description: String,
    /// Where it is written; relative to the workflows folder if it is in it.
    #[serde(default)]
    pub source_file: String,
    /// The hard limit of a run; 0 means no limit.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// What is declared about further attempts.
    #[serde(default)]
    pub retry: DeclaredRetry,
    /// What is declared about how many run at once.
    #[serde(default)]
    pub concurrency: DeclaredConcurrency,
    /// Limits by name, that it shares with others.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Where it waits; empty means not declared.
    #[serde(default)]
    pub queue: String,
    /// The JSON Schema of its parameters, or none.
    #[serde(default, with = "crate::json::inline")]
    pub parameters: JsonBytes,
    /// An object of what later versions declare, or none. Keys that are not known are ignored.
    #[serde(default, with = "crate::json::inline")]
    pub more: JsonBytes,
}

/// The part of a description about another attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(default)]
pub struct DeclaredRetry {
    /// How many attempts there may be, the first included.
    pub max_attempts: Option<u32>,
    /// How long the second attempt waits after the first failed.
    pub backoff_ms: Option<u64>,
    /// By how much each further wait is longer: 200 doubles it, 100 leaves it.
    pub backoff_factor_percent: Option<u32>,
    /// The bound that growing waits stop at.
    pub backoff_max_ms: Option<u64>,
    /// Error types that another attempt may help; empty means all.
    pub retry_on: Vec<String>,
    /// Error types that no other attempt helps.
    pub give_up_on: Vec<String>,
}

/// The part of a description about how many run at once, in all supervisors together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(default)]
pub struct DeclaredConcurrency {
    /// How many executions of the workflow may run at once.
    pub total: Option<u32>,
    /// So many at most with the same key.
    pub per_key: Option<u32>,
    /// What the key is: `organization`, `workflow`, `caller` or `parameters.<path>`; empty means not declared.
    pub key: String,
    /// What happens to one more: `wait`, `reject`, `replace` or `cancel_running`; empty means not declared.
    pub on_full: String,
}

/// A file whose workflows nobody can run, because it could not be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct BrokenFile {
    /// Relative to the workflows folder if it is in it.
    pub file: String,
    /// Why the file could not be loaded, as the worker's language tells it.
    #[serde(default)]
    pub error: ErrorInfo,
}
