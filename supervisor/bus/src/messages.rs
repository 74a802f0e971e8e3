//! What travels on the channels, as JSON.

use bytes::Bytes;
use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::names::Channel;

/// An execution changed its state.
#[derive(Clone, Debug, Serialize)]
pub struct StatusChange {
    /// Which.
    pub execution_id: Uuid,
    /// To what.
    pub status: Status,
    /// In which attempt; 0 before the first.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// What people call the workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What a person should read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl StatusChange {
    /// A change with nothing else to say about it.
    pub fn new(attempt: Attempt, status: Status, at: Timestamp) -> Self {
        Self {
            execution_id: attempt.execution_id,
            status,
            attempt: attempt.number,
            at,
            workflow: None,
            organization_id: None,
            error_type: None,
            error_message: None,
            duration_ms: None,
        }
    }

    pub(crate) fn message(&self) -> Bytes {
        #[derive(Serialize)]
        struct Message<'a> {
            r#type: &'static str,
            #[serde(flatten)]
            change: &'a StatusChange,
        }
        json(&Message { r#type: "status", change: self })
    }
}

pub(crate) fn log_message(attempt: Attempt, line: &LogLine) -> Bytes {
    #[derive(Serialize)]
    struct Message<'a> {
        r#type: &'static str,
        execution_id: Uuid,
        attempt: u32,
        sequence: u64,
        at: Timestamp,
        level: &'a str,
        stream: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        logger: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        fields: Option<&'a RawValue>,
    }
    json(&Message {
        r#type: "log",
        execution_id: attempt.execution_id,
        attempt: attempt.number,
        sequence: line.sequence,
        at: Timestamp::from_microsecond(line.at_us).unwrap_or_default(),
        level: &line.level,
        stream: line.stream.as_str(),
        logger: &line.logger,
        message: &line.message,
        fields: line.fields.as_deref(),
    })
}

/// The end of an execution, as it is told to the world once it is committed.
#[derive(Clone, Debug)]
pub struct OutcomeAnnouncement {
    /// Its terminal state.
    pub status: StatusChange,
    /// The row as JSON, when somebody waits for it (`sync`).
    pub reply: Option<Bytes>,
}

/// A command to supervisors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ControlCommand {
    /// End an execution.
    Cancel {
        /// Which.
        execution_id: Uuid,
    },
    /// Replace a worker.
    Recycle {
        /// Which, as shown by `status`.
        worker: String,
    },
    /// Replace all workers.
    RecycleAll,
    /// Change the size of the pool.
    Resize {
        /// At least so many.
        min_workers: usize,
        /// At most so many.
        max_workers: usize,
    },
    /// Read the settings again and roll the workers.
    Reload,
}

impl ControlCommand {
    pub(crate) fn channel(&self) -> Channel {
        match self {
            Self::Cancel { .. } => Channel::Cancel,
            Self::Recycle { .. } | Self::RecycleAll | Self::Resize { .. } | Self::Reload => Channel::Command,
        }
    }
}

/// A command and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressedCommand {
    /// Only this supervisor; `None` means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<Uuid>,
    /// What to do.
    #[serde(flatten)]
    pub command: ControlCommand,
}

impl From<ControlCommand> for AddressedCommand {
    fn from(command: ControlCommand) -> Self {
        Self { supervisor: None, command }
    }
}

impl AddressedCommand {
    pub(crate) fn message(&self) -> Bytes {
        json(self)
    }

    /// Reads what came on one of the two command channels. A cancel needs no `action`.
    pub(crate) fn parse(channel: Channel, data: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Cancel {
            execution_id: Uuid,
            #[serde(default)]
            supervisor: Option<Uuid>,
        }
        if channel == Channel::Cancel {
            let Cancel { execution_id, supervisor } = serde_json::from_slice(data)?;
            return Ok(Self { supervisor, command: ControlCommand::Cancel { execution_id } });
        }
        serde_json::from_slice(data)
    }
}

/// The JSON of our own types, which have no way to fail.
fn json<T: Serialize>(value: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}
