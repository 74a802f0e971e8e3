//! What travels on the channels, as JSON.

use bytes::Bytes;
use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::names::Channel;

/// The message that tells watchers of an execution's new state.
#[derive(Clone, Debug, Serialize)]
pub struct StatusChange {
    /// The execution whose state changed.
    pub execution_id: Uuid,
    /// The state it has now.
    pub status: Status,
    /// In which attempt; 0 before the first.
    pub attempt: u32,
    /// When the state changed.
    pub at: Timestamp,
    /// The name of the workflow, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The organization the execution runs for; `None` is the global scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// The type of the failure; `None` when it did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// What a person should read about the failure; `None` when it did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long the run took; `None` before its end and without Started.
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
    /// The terminal state the execution came to.
    pub status: StatusChange,
    /// The row as JSON, when somebody waits for it (`sync`).
    pub reply: Option<Bytes>,
}

/// What supervisors may be told to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ControlCommand {
    /// An execution is to end.
    Cancel {
        /// The execution that is to end.
        execution_id: Uuid,
        /// Why, where nobody asked for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// One worker is to be replaced.
    Recycle {
        /// The worker's name, as `status` shows it.
        worker: String,
    },
    /// All workers are to be replaced, one after the other.
    RecycleAll,
    /// Change the size of the pool.
    Resize {
        /// The number of workers kept warm.
        min_workers: usize,
        /// The most executions that run at once.
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
    /// What the addressed supervisors are to do.
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
            #[serde(default)]
            reason: Option<String>,
        }
        if channel == Channel::Cancel {
            let Cancel { execution_id, supervisor, reason } = serde_json::from_slice(data)?;
            return Ok(Self { supervisor, command: ControlCommand::Cancel { execution_id, reason } });
        }
        serde_json::from_slice(data)
    }
}

/// The JSON of our own types, which have no way to fail.
fn json<T: Serialize>(value: &T) -> Bytes {
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}
