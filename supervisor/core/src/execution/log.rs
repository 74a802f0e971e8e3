//! One line of an execution's log, as it is stored and shown.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The way by which a line of the log came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// The worker's SDK sent it as a record.
    Log,
    /// The process wrote it to stderr (or printed it).
    Stderr,
}

impl LogStream {
    /// The text stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Stderr => "stderr",
        }
    }
}

/// One line. The sequence counts from 1 per attempt, in the order the supervisor read the lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// Its place in the attempt's log.
    pub sequence: u64,
    /// The moment it was written, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// trace, debug, info, warn or error.
    pub level: Cow<'static, str>,
    /// The way by which the line came.
    pub stream: LogStream,
    /// Who wrote it; may be empty.
    pub logger: String,
    /// The text of the line, without its end.
    pub message: String,
    /// A JSON object of further values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Box<RawValue>>,
}

impl LogLine {
    /// What the line costs in memory, for the bound of a run's log.
    pub fn size_bytes(&self) -> usize {
        let fields = self.fields.as_ref().map_or(0, |fields| fields.get().len());
        self.message.len() + self.logger.len() + fields + size_of::<Self>()
    }
}
