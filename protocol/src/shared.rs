//! Types that messages of both directions are made of. Their layout is frozen: see SPEC.md.

use std::string::FromUtf8Error;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{Decode, Encode};

/// JSON text that travels unparsed. Empty means "none". A clone is the same bytes, not a copy.
///
/// In frames it is a length and the bytes; in JSON lines mode it is the value itself, inline.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JsonBytes(pub Bytes);

/// Text that travels unread: the code of an execution. A clone is the same bytes, not a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextBytes(pub Bytes);

impl From<Vec<u8>> for TextBytes {
    fn from(text: Vec<u8>) -> Self {
        Self(text.into())
    }
}

impl From<String> for TextBytes {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Vec<u8>> for JsonBytes {
    fn from(json: Vec<u8>) -> Self {
        Self(json.into())
    }
}

impl From<String> for JsonBytes {
    fn from(json: String) -> Self {
        Self(json.into())
    }
}

impl From<&str> for JsonBytes {
    fn from(json: &str) -> Self {
        Self::from(json.to_owned())
    }
}

impl JsonBytes {
    /// The text of no value: an empty one.
    pub const NONE: Self = Self(Bytes::new());

    /// The JSON text of a value. A value that cannot be JSON (a map with keys that are no strings) is none.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::from(serde_json::to_vec(value).unwrap_or_default())
    }

    /// True when there is no value.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself. Its bytes are not copied where nobody else holds them.
    ///
    /// # Errors
    /// When the bytes are not UTF-8.
    pub fn into_text(self) -> Result<String, FromUtf8Error> {
        String::from_utf8(self.0.into())
    }

    /// Parses the text; none parses as `null`.
    ///
    /// # Errors
    /// When the bytes are not JSON, or not of the shape asked for.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(if self.0.is_empty() { b"null" } else { &self.0 })
    }
}

/// The beginning of the text: a result of five megabytes is no help in a log line.
impl std::fmt::Debug for JsonBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN_MAX_BYTES: usize = 256;
        match self.0.get(..SHOWN_MAX_BYTES) {
            Some(shown) => write!(f, "{}... ({} bytes)", String::from_utf8_lossy(shown), self.0.len()),
            None => f.write_str(&String::from_utf8_lossy(&self.0)),
        }
    }
}

/// Where the code that an execution runs comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum CodeSource {
    /// The worker looks the workflow's name up itself.
    Named,
    /// A file below the workflows folder and a function in it; an empty function is the default export.
    Path {
        /// The file, relative to the workflows folder.
        path: String,
        /// The name of the function; empty means the default export.
        function: String,
    },
    /// The code travels with the request.
    Inline {
        /// Empty means the worker's own language.
        language: String,
        /// The source of the code, UTF-8.
        #[serde(with = "crate::json::text_bytes")]
        code: TextBytes,
    },
}

/// How a run ended, as the worker saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum RunOutcome {
    /// The function returned a value.
    Succeeded {
        /// The value the function returned, JSON text.
        #[serde(default, with = "crate::json::inline")]
        result: JsonBytes,
    },
    /// The function ended with an error.
    Failed {
        /// The error the function ended with.
        error: ErrorInfo,
    },
    /// The run ended because it was cancelled.
    Cancelled {
        /// What the user is to read about it; may be empty.
        #[serde(default)]
        message: String,
    },
    /// The worker cannot run this; user code was not entered.
    Rejected {
        /// Why the worker cannot run it, with what would help.
        #[serde(default)]
        reason: String,
    },
}

/// What a Call is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum CallResult {
    /// The method did what it was asked.
    Ok {
        /// The value the method gives, JSON text.
        #[serde(default, with = "crate::json::inline")]
        value: JsonBytes,
    },
    /// The method failed, or was refused.
    Err {
        /// Why the method failed.
        error: ErrorInfo,
    },
}

/// Who wants a run to end. The first reason written to the worker decides what the end is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
pub enum CancelReason {
    /// A person or a program asked.
    User,
    /// The run's deadline passed.
    Timeout,
    /// The supervisor shuts down.
    Shutdown,
    /// Another supervisor owns the execution now.
    LeaseLost,
}

/// How much a log record matters.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
pub enum LogLevel {
    /// For the author of the SDK.
    Trace,
    /// For the author of the workflow.
    Debug,
    /// For the person who runs the workflow.
    #[default]
    Info,
    /// Something a person may want to look at.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// Every level, from the least to the highest.
    pub const ALL: [Self; 5] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The lower-case name used in records and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// An error as a worker describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct ErrorInfo {
    /// The error's type, such as the class name of an exception. Becomes `error_type`.
    #[serde(default)]
    pub kind: String,
    /// What went wrong, in one line for a person.
    #[serde(default)]
    pub message: String,
    /// Where it happened; may be empty.
    #[serde(default)]
    pub stack: String,
    /// Whether another attempt could help, when the worker knows.
    #[serde(default)]
    pub retryable: Option<bool>,
}

impl ErrorInfo {
    /// An error with a kind and a message, and nothing else known.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), stack: String::new(), retryable: None }
    }
}

/// One line of a run's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub struct LogRecord {
    /// Microseconds since the Unix epoch, on the worker's clock.
    #[serde(default)]
    pub timestamp_us: u64,
    /// How much the record matters.
    #[serde(default)]
    pub level: LogLevel,
    /// Who wrote it; may be empty.
    #[serde(default)]
    pub logger: String,
    /// The text of the record.
    #[serde(default)]
    pub message: String,
    /// A JSON object of further values, or none.
    #[serde(default, with = "crate::json::inline", skip_serializing_if = "JsonBytes::is_none")]
    pub fields: JsonBytes,
}

/// What a run cost, as the worker measured it. Zero means not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(default)]
pub struct RunMetrics {
    /// The wall time from Started to Finished.
    pub wall_us: u64,
    /// The CPU time in user mode.
    pub cpu_user_us: u64,
    /// The CPU time in the kernel.
    pub cpu_system_us: u64,
    /// The largest resident set so far.
    pub peak_rss_bytes: u64,
}
