//! What the supervisor says.

use serde::{Deserialize, Serialize};

use crate::codec::{Decode, Encode};
use crate::shared::{CallResult, CancelReason, CodeSource, JsonBytes, LogLevel};

/// The messages the supervisor writes to a worker's stdin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum ToWorker {
    /// 0: the answer to Hello, when both sides share a version.
    Welcome {
        /// The version both speak from here on.
        protocol: u16,
        /// The worker's name on screens and in logs.
        #[serde(default)]
        worker_id: String,
        /// The features that both sides have.
        #[serde(default)]
        features: Vec<String>,
        /// The largest frame body the supervisor takes.
        max_frame_bytes: u32,
        /// The least level of log records that is worth sending.
        #[serde(default)]
        log_level: LogLevel,
        /// A JSON object for the worker: `{workflows_dir, memory_limit_mb}`.
        #[serde(default, with = "crate::json::inline")]
        config: JsonBytes,
    },
    /// 1: run this attempt. The worker must be idle.
    Execute {
        /// Counts up, never reused in a process.
        run: u32,
        /// The execution's id, a UUID as text.
        execution_id: String,
        /// The number of the attempt, counted from 1.
        attempt: u32,
        /// The workflow's name, for people and for [`CodeSource::Named`].
        workflow: String,
        /// Where the code comes from that is to run.
        source: CodeSource,
        /// The parameters of the execution, JSON text.
        #[serde(default, with = "crate::json::inline")]
        params: JsonBytes,
        /// Who and what for: see SPEC.md.
        #[serde(default, with = "crate::json::inline")]
        context: JsonBytes,
        /// The time the run has, from Started; 0 means no limit.
        #[serde(default)]
        timeout_ms: u64,
        /// How long a Cancel of this run will let it end by itself.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 2: end the run within its grace.
    Cancel {
        /// The run to end.
        run: u32,
        /// Who wants the run to end.
        reason: CancelReason,
        /// What the user is to read about it; may be empty.
        #[serde(default)]
        message: String,
        /// How long the run may take to end by itself, before signals follow.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 3: the answer to a Call.
    Reply {
        /// The run that asked.
        run: u32,
        /// The number that the Call carried.
        call: u32,
        /// What the method gave, or why it failed.
        result: CallResult,
    },
    /// 4: a worker that lives answers this with a Pong.
    Ping {
        /// The number that the Pong is to carry.
        nonce: u64,
    },
    /// 5: finish what runs, refuse more, say Goodbye, exit with 0.
    Drain {
        /// Why the worker is to leave, for people; may be empty.
        #[serde(default)]
        reason: String,
        /// How long what runs may take.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 6: the worker is to tell where its threads are, with a Stacks.
    Dump {
        /// The run that is asked about.
        run: u32,
    },
    /// 7: make a worker of yourself. Its standard streams are in the channel by then.
    Fork {
        /// What the child's [`crate::WORKER_ID_ENV`] says from then on.
        worker_id: String,
    },
}

impl ToWorker {
    /// The names of the messages, each at its variant index.
    pub const NAMES: [&'static str; 8] =
        ["Welcome", "Execute", "Cancel", "Reply", "Ping", "Drain", "Dump", "Fork"];

    /// The message's name, for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Welcome { .. } => "Welcome",
            Self::Execute { .. } => "Execute",
            Self::Cancel { .. } => "Cancel",
            Self::Reply { .. } => "Reply",
            Self::Ping { .. } => "Ping",
            Self::Drain { .. } => "Drain",
            Self::Dump { .. } => "Dump",
            Self::Fork { .. } => "Fork",
        }
    }
}
