//! What a worker says.

use serde::{Deserialize, Serialize};

use crate::codec::{Decode, Encode};
use crate::description::{BrokenFile, WorkflowDescription};
use crate::shared::{ErrorInfo, JsonBytes, LogRecord, RunMetrics, RunOutcome};

/// The messages a worker writes on its stdout.
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
        /// The version of the SDK or the worker, for people.
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
        /// What the loading failed with.
        error: ErrorInfo,
    },
    /// 3: written and flushed before user code is entered.
    Started {
        /// The run that starts, from its Execute.
        run: u32,
    },
    /// 4: log records of a run, in the order they were written.
    Log {
        /// The run that wrote them.
        run: u32,
        /// In the order they were written.
        records: Vec<LogRecord>,
    },
    /// 5: how far the run is. The latest wins.
    Progress {
        /// The run it is about.
        run: u32,
        /// How many steps are done.
        #[serde(default)]
        current: u64,
        /// How many steps there are; 0 means unknown.
        #[serde(default)]
        total: u64,
        /// What the run is doing, for people; may be empty.
        #[serde(default)]
        message: String,
    },
    /// 6: a question to the supervisor. Every Call has its Reply.
    Call {
        /// The run that asks.
        run: u32,
        /// The number the Reply will carry.
        call: u32,
        /// What is asked for, one of [`crate::method`].
        method: String,
        /// The parameters of the method, a JSON object.
        #[serde(default, with = "crate::json::inline")]
        params: JsonBytes,
    },
    /// 7: the run is over. The outcome is kept from here on, whatever happens next.
    Finished {
        /// The run that is over.
        run: u32,
        /// How the run ended, as the worker saw it.
        outcome: RunOutcome,
        /// The time and memory the run took.
        #[serde(default)]
        metrics: RunMetrics,
        /// How many log records this run sent, so that a loss shows.
        #[serde(default)]
        log_records: u64,
    },
    /// 8: the slot is free from here.
    Idle {
        /// The run that held the slot.
        run: u32,
        /// The worker's resident set, in bytes.
        #[serde(default)]
        rss_bytes: u64,
        /// The worker asks to be replaced.
        #[serde(default)]
        recycle: bool,
    },
    /// 9: the answer to a Ping.
    Pong {
        /// The number that the Ping carried.
        nonce: u64,
    },
    /// 10: the last frame, before the worker exits by itself.
    Goodbye {
        /// Why the worker leaves, for people; may be empty.
        #[serde(default)]
        reason: String,
    },
    /// 11: the answer to a Dump.
    Stacks {
        /// The run that the Dump asked about.
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
        /// The workflows the worker can run.
        #[serde(default)]
        workflows: Vec<WorkflowDescription>,
        /// The files the worker could not load.
        #[serde(default)]
        broken: Vec<BrokenFile>,
    },
    /// 13: the answer to Fork, when the child exists. Its pidfd is in the channel by then.
    Forked {
        /// The name that the Fork gave the worker.
        worker_id: String,
        /// The child's process id, as the template sees it.
        pid: u32,
        /// What the template has loaded is not what is there to load any more: it asks to be replaced.
        #[serde(default)]
        recycle: bool,
    },
    /// 14: a child of the template has ended, and is about to be reaped.
    Exited {
        /// The process id that its Forked named.
        pid: u32,
        /// How the child ended, as `waitpid` gives it.
        status: u32,
    },
    /// 15: the answer to Fork, when there is no child. The worker is started without the template.
    ForkFailed {
        /// The name that the Fork gave the worker.
        worker_id: String,
        /// Why there is no child, for people.
        #[serde(default)]
        message: String,
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
