//! What a supervisor says of executions.

use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RowStatus {
    /// It waits.
    Pending,
    /// A worker has it.
    Running,
    /// It is over and has a result.
    Success,
    /// It is over, with an error.
    Failed,
    /// It is over: its time was up.
    Timeout,
    /// It is over: somebody asked for it.
    Cancelled,
}

impl RowStatus {
    /// Whether nothing more happens to it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Success | Self::Failed | Self::Timeout | Self::Cancelled => true,
        }
    }
}

/// The row of an execution. In lists there is no result.
#[derive(Debug, Deserialize)]
pub struct ExecutionRow {
    /// Its id.
    pub execution_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// Where it is.
    pub status: RowStatus,
    /// What the workflow returned, as it wrote it.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// The name of the error it ended with.
    #[serde(default)]
    pub error_type: Option<String>,
    /// What the error says.
    #[serde(default)]
    pub error_message: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub error_stack: Option<String>,
    /// Which attempt this was.
    pub attempt: u32,
    /// How long it ran.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// Which execution this one runs again.
    #[serde(default)]
    pub retry_of: Option<Uuid>,
}

/// A line of an execution's log.
#[derive(Debug, Deserialize)]
pub struct LogRow {
    /// debug, info, warn or error.
    pub level: String,
    /// The text.
    pub message: String,
    /// What stands beside it, a JSON object.
    #[serde(default)]
    pub fields: Option<Box<RawValue>>,
    /// The attempt that wrote it.
    pub attempt: u32,
}

/// Why an execution is where it is.
#[derive(Debug, Deserialize)]
pub struct ReasonRow {
    /// Which kind of reason.
    pub kind: String,
    /// The same in a sentence.
    pub message: String,
}

/// What a submission led to.
#[derive(Debug, Deserialize)]
pub struct Submission {
    /// The execution that stands for it.
    pub execution_id: Uuid,
    /// Whether another submission with its idempotency key made it.
    #[serde(default)]
    pub existing: bool,
    /// The pauses that keep it from starting.
    #[serde(default)]
    pub paused_by: Vec<PauseRow>,
}

/// One thing that is paused: nothing of it starts, what runs goes on.
#[derive(Debug, Deserialize)]
pub struct PauseRow {
    /// `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`.
    pub target: String,
    /// Who asked for it, as far as they said, and from where.
    pub who: String,
    /// The reason, in their words.
    pub why: Option<String>,
    /// Since when, as in RFC 3339.
    pub since: String,
}
