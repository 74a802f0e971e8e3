//! What the code declares of its workflows and what is defined of them, for people and programs.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::WorkflowDefinition;

/// What the workers of this supervisor described, and what is defined beside it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Workflows)]
pub struct WorkflowsView {
    /// By name. Workers that decide per execution describe a workflow when they first load it, or never.
    #[schema(inline)]
    pub workflows: Vec<WorkflowView>,
    /// Files whose workflows nobody can run.
    #[schema(inline)]
    pub broken: Vec<BrokenFileView>,
    /// What is defined of workflows, by name, whether workers described them or not.
    #[serde(default)]
    pub defined: Vec<WorkflowDefinition>,
}

/// One workflow, as its code declares it. What the code does not say is left out; a request and the workflow's row
/// come before it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DescribedWorkflow)]
pub struct WorkflowView {
    /// The name by which the workflow is submitted.
    pub name: String,
    /// A line or two about the workflow, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The file it is written in, relative to the workflows folder if it is in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_file: String,
    /// The limit of a run, which is enforced; 0 means no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timeout_seconds: Option<f64>,
    /// How many attempts there may be, the first included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_attempts: Option<u32>,
    /// How long the second attempt waits after the first failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub backoff_seconds: Option<f64>,
    /// By how much each further wait is longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub backoff_factor: Option<f64>,
    /// The bound that growing waits stop at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub backoff_max_seconds: Option<f64>,
    /// Error types that another attempt may help; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_on: Vec<String>,
    /// Error types that no other attempt helps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub give_up_on: Vec<String>,
    /// How many may run at once in the whole fleet: the limit `workflow/NAME`, unless a row says another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_concurrent: Option<u32>,
    /// How many with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_concurrent_per_key: Option<u32>,
    /// What the key is made of: `organization`, `workflow`, `caller` or `parameters.<path>`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What happens to one more: `wait`, `reject`, `replace` or `cancel_running`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on_full: String,
    /// The names of limits that it shares with others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// The queue where its executions wait that do not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queue: String,
    /// The JSON Schema of its parameters. Others are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub parameters: Option<Box<RawValue>>,
}

/// A file that could not be loaded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BrokenFile)]
pub struct BrokenFileView {
    /// Relative to the workflows folder if it is in it.
    pub file: String,
    /// The type of the error that its loading ended with.
    pub error_type: String,
    /// What the loading of the file failed with.
    pub error_message: String,
}
