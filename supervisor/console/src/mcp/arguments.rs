//! What the tools are called with. The sentences are what an assistant reads of each argument.

use muster_core::execution::Status;
use rmcp::model::JsonObject;
use rmcp::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Which executions to list. All that is given must be true of each.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct ListArguments {
    /// Only executions in this state.
    #[serde(default)]
    #[schemars(schema_with = "states")]
    pub(super) status: Option<Status>,
    /// Only executions of this workflow.
    pub(super) workflow: Option<String>,
    /// Only executions of this queue.
    pub(super) queue: Option<String>,
    /// Only executions of this organization: its key or id.
    pub(super) organization: Option<String>,
    /// Only executions that ended with an error of this type, such as ValueError.
    pub(super) error_type: Option<String>,
    /// Only executions created at this moment or later, as in 2026-05-01T06:30:00Z.
    pub(super) since: Option<String>,
    /// Only executions created before this moment.
    pub(super) until: Option<String>,
    /// At most so many, 1 to 100; 20 when it is left out.
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: Option<u16>,
    /// The next_cursor of the page before, to go on where it ended.
    pub(super) cursor: Option<String>,
}

fn states(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Status::ALL.map(Status::as_str) })
}

/// Which execution is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct ExecutionArguments {
    /// The id of the execution, or as many of its first digits as no other has.
    pub(super) id: String,
}

/// Which execution is meant, and how long to wait for its end.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct ShowArguments {
    /// The id of the execution, or as many of its first digits as no other has.
    pub(super) id: String,
    /// Wait so many seconds for it to end, at most 60.
    #[schemars(range(max = 60))]
    pub(super) wait_seconds: Option<u16>,
}

/// Which log is meant, and from where on.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct LogsArguments {
    /// The id of the execution, or as many of its first digits as no other has.
    pub(super) id: String,
    /// The next_cursor of the page before, to go on where it ended.
    pub(super) cursor: Option<String>,
}

/// Nothing is to be said.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {}

/// A request for an execution. But for the wait it is the body that is sent, and has the names of that.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitArguments {
    /// The name of the workflow to run.
    workflow: String,
    /// What the workflow is called with, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<JsonObject>,
    /// The id of the organization that it runs for.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<String>,
    /// The queue that it waits in.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// From 0 to 9; 9 goes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    /// How many seconds it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    /// How often it may be tried; above 1 its own failures are retried too.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    /// Start it at this moment at the earliest, as in 2026-05-01T06:30:00Z.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<String>,
    /// What it is called: a second submit with this key is the first one's execution, so repeating a call is safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// Wait so many seconds for its end and answer with its result, at most 60.
    #[serde(skip_serializing)]
    #[schemars(range(max = 60))]
    pub(super) wait_seconds: Option<u16>,
}
