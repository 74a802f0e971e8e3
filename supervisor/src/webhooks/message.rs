//! What a receiver is told of an execution: its row, without what it was asked for.

use jiff::Timestamp;
use muster_store::ExecutionRecord;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A longer result is left out: a receiver asks for the execution if it wants it.
const RESULT_MAX_BYTES: usize = 256 * 1024;

/// The envelope of the specification.
#[derive(Serialize)]
struct WebhookMessage<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
    data: WebhookData<'a>,
}

#[derive(Serialize)]
struct WebhookData<'a> {
    execution_id: Uuid,
    status: &'static str,
    workflow: Option<&'a str>,
    workflow_id: Option<Uuid>,
    organization_id: Option<Uuid>,
    caller: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    /// How long the result is that was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_bytes: Option<usize>,
    error_type: Option<&'a str>,
    error_message: Option<&'a str>,
    duration_ms: Option<i64>,
    attempt: u32,
    max_attempts: u32,
    retry_of: Option<Uuid>,
    queue: Option<&'a str>,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

/// The id of a delivery, the same at every try.
pub fn delivery_id(webhook: Uuid, execution: Uuid, event: &str) -> String {
    let of_execution = Uuid::new_v5(&webhook, execution.as_bytes());
    format!("msg_{}", Uuid::new_v5(&of_execution, event.as_bytes()).simple())
}

/// The body that tells of an execution that is over.
///
/// # Errors
/// When the row cannot be written as JSON.
pub fn message(record: &ExecutionRecord) -> Result<String, serde_json::Error> {
    let result = record.result.as_deref();
    let is_short = |result: &&RawValue| result.get().len() <= RESULT_MAX_BYTES;
    let status = record.status.as_str();
    serde_json::to_string(&WebhookMessage {
        kind: format!("execution.{}", status.to_ascii_lowercase()),
        timestamp: record.completed_at.unwrap_or(record.created_at),
        data: WebhookData {
            execution_id: record.id,
            status,
            workflow: record.workflow_name.as_deref(),
            workflow_id: record.workflow_id,
            organization_id: record.organization_id,
            caller: record.caller.as_deref(),
            result: result.filter(is_short),
            result_bytes: result.filter(|result| !is_short(result)).map(|result| result.get().len()),
            error_type: record.error_type.as_deref(),
            error_message: record.error_message.as_deref(),
            duration_ms: record.duration_ms,
            attempt: record.attempt,
            max_attempts: record.max_attempts,
            retry_of: record.retry_of,
            queue: record.queue.as_deref(),
            created_at: record.created_at,
            started_at: record.started_at,
            completed_at: record.completed_at,
        },
    })
}
