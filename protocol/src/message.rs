//! Every message of version 1, one enum per direction.
//!
//! A message's layout is frozen for ever: variants are only appended, new information travels in a new
//! message. The order of the variants is their number on the wire.

use serde::{Deserialize, Serialize};

use crate::codec::{Decode, Encode};
use crate::description::{BrokenFile, WorkflowDescription};
use crate::shared::{
    CallResult, CancelReason, CodeSource, ErrorInfo, JsonBytes, LogLevel, LogRecord, RunMetrics, RunOutcome,
};

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum ToSupervisor {
    /// 0: the first message, at most ten seconds after the start and before user code is imported.
    Hello {
        /// The oldest version the worker speaks.
        protocol_min: u16,
        /// The newest version the worker speaks.
        protocol_max: u16,
        /// The name of the SDK or the worker.
        #[serde(default)]
        implementation: String,
        /// Its version.
        #[serde(default)]
        implementation_version: String,
        /// The language of the workflows it runs.
        #[serde(default)]
        language: String,
        /// The worker's process id, as it sees it.
        #[serde(default)]
        pid: u32,
        /// What it can do beyond the minimum: [`crate::feature`].
        #[serde(default)]
        features: Vec<String>,
    },
    /// 1: user code is loaded, an Execute may come.
    Ready {
        /// Names it can run; empty means it decides per execution.
        #[serde(default)]
        workflows: Vec<String>,
    },
    /// 2: user code could not be loaded. The worker exits with 69 after it.
    InitFailed {
        /// Why.
        error: ErrorInfo,
    },
    /// 3: written and flushed before user code is entered.
    Started {
        /// Which run.
        run: u32,
    },
    /// 4: log records, in order.
    Log {
        /// Which run.
        run: u32,
        /// In the order they were written.
        records: Vec<LogRecord>,
    },
    /// 5: how far the run is. The latest wins.
    Progress {
        /// Which run.
        run: u32,
        /// So many are done,
        #[serde(default)]
        current: u64,
        /// of so many; 0 means unknown.
        #[serde(default)]
        total: u64,
        /// A word about it.
        #[serde(default)]
        message: String,
    },
    /// 6: a question to the supervisor. Every Call has its Reply.
    Call {
        /// Which run.
        run: u32,
        /// The number the Reply will carry.
        call: u32,
        /// One of [`crate::method`].
        method: String,
        /// Its parameters, a JSON object.
        #[serde(default, with = "crate::json::inline")]
        params: JsonBytes,
    },
    /// 7: the run is over. The outcome is kept from here on, whatever happens next.
    Finished {
        /// Which run.
        run: u32,
        /// How it ended.
        outcome: RunOutcome,
        /// What it cost.
        #[serde(default)]
        metrics: RunMetrics,
        /// How many log records this run sent, so that a loss shows.
        #[serde(default)]
        log_records: u64,
    },
    /// 8: the slot is free from here.
    Idle {
        /// The run that held it.
        run: u32,
        /// The worker's resident set.
        #[serde(default)]
        rss_bytes: u64,
        /// The worker asks to be replaced.
        #[serde(default)]
        recycle: bool,
    },
    /// 9: the answer to Ping.
    Pong {
        /// The Ping's.
        nonce: u64,
    },
    /// 10: the last frame.
    Goodbye {
        /// Why it leaves.
        #[serde(default)]
        reason: String,
    },
    /// 11: the answer to Dump.
    Stacks {
        /// Which run.
        run: u32,
        /// The stacks of all threads, as the language shows them.
        #[serde(default)]
        text: String,
    },
    /// 12: what the code declares of its workflows, for the supervisor to enforce. It adds to what was described
    /// before; a name or a file described again is described anew.
    Describe {
        /// All that the worker described before counts no more.
        #[serde(default)]
        replaces: bool,
        /// Workflows it can run.
        #[serde(default)]
        workflows: Vec<WorkflowDescription>,
        /// Files it could not load.
        #[serde(default)]
        broken: Vec<BrokenFile>,
    },
    /// 13: the answer to Fork, when the child exists. Its pidfd is in the channel by then.
    Forked {
        /// The Fork's.
        worker_id: String,
        /// The child's process id, as the template sees it.
        pid: u32,
        /// What the template has loaded is not what is there to load any more: it asks to be replaced.
        #[serde(default)]
        recycle: bool,
    },
    /// 14: a child of the template has ended, and is about to be reaped.
    Exited {
        /// As in its Forked.
        pid: u32,
        /// How, as `waitpid` gives it.
        status: u32,
    },
    /// 15: the answer to Fork, when there is no child. The worker is started without the template.
    ForkFailed {
        /// The Fork's.
        worker_id: String,
        /// Why, for a person.
        #[serde(default)]
        message: String,
    },
}

/// What the supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[bincode(decode_context = "crate::codec::FrameBytes")]
pub enum ToWorker {
    /// 0: the answer to Hello.
    Welcome {
        /// The version both speak from here on.
        protocol: u16,
        /// The worker's name on screens and in logs.
        #[serde(default)]
        worker_id: String,
        /// The features both have.
        #[serde(default)]
        features: Vec<String>,
        /// The largest frame body the supervisor takes.
        max_frame_bytes: u32,
        /// The least level worth sending.
        #[serde(default)]
        log_level: LogLevel,
        /// `{workflows_dir, memory_limit_mb}`.
        #[serde(default, with = "crate::json::inline")]
        config: JsonBytes,
    },
    /// 1: run this.
    Execute {
        /// Counts up, never reused in a process.
        run: u32,
        /// The execution's UUID.
        execution_id: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The workflow's name, for people and for [`CodeSource::Named`].
        workflow: String,
        /// What code to run.
        source: CodeSource,
        /// The parameters.
        #[serde(default, with = "crate::json::inline")]
        params: JsonBytes,
        /// Who and what for: see SPEC.md.
        #[serde(default, with = "crate::json::inline")]
        context: JsonBytes,
        /// The time the run has, from Started; 0 means no limit.
        #[serde(default)]
        timeout_ms: u64,
        /// What a Cancel will grant.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 2: end the run.
    Cancel {
        /// Which run.
        run: u32,
        /// Who wants it.
        reason: CancelReason,
        /// A word about it.
        #[serde(default)]
        message: String,
        /// Signals follow after this.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 3: the answer to Call.
    Reply {
        /// Which run.
        run: u32,
        /// The Call's number.
        call: u32,
        /// The answer.
        result: CallResult,
    },
    /// 4: are you there?
    Ping {
        /// To be sent back.
        nonce: u64,
    },
    /// 5: finish what runs, refuse more, say Goodbye, exit with 0.
    Drain {
        /// Why.
        #[serde(default)]
        reason: String,
        /// How long what runs may take.
        #[serde(default)]
        grace_ms: u32,
    },
    /// 6: what are you doing?
    Dump {
        /// Which run.
        run: u32,
    },
    /// 7: make a worker of yourself. Its standard streams are in the channel by then.
    Fork {
        /// What the child's [`crate::WORKER_ID_ENV`] says from then on.
        worker_id: String,
    },
}

impl ToSupervisor {
    /// The names of the messages, each at its variant index.
    pub const NAMES: [&'static str; 16] = [
        "Hello",
        "Ready",
        "InitFailed",
        "Started",
        "Log",
        "Progress",
        "Call",
        "Finished",
        "Idle",
        "Pong",
        "Goodbye",
        "Stacks",
        "Describe",
        "Forked",
        "Exited",
        "ForkFailed",
    ];

    /// The message's name, for logs and counters.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "Hello",
            Self::Ready { .. } => "Ready",
            Self::InitFailed { .. } => "InitFailed",
            Self::Started { .. } => "Started",
            Self::Log { .. } => "Log",
            Self::Progress { .. } => "Progress",
            Self::Call { .. } => "Call",
            Self::Finished { .. } => "Finished",
            Self::Idle { .. } => "Idle",
            Self::Pong { .. } => "Pong",
            Self::Goodbye { .. } => "Goodbye",
            Self::Stacks { .. } => "Stacks",
            Self::Describe { .. } => "Describe",
            Self::Forked { .. } => "Forked",
            Self::Exited { .. } => "Exited",
            Self::ForkFailed { .. } => "ForkFailed",
        }
    }
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
