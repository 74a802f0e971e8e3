//! How the process of a worker ended, and why: one value for the row, its events, screens, the metric and the log.
//!
//! Plain data. What of it is true is decided by the pool, from what the system reports.

use serde::Serialize;
use utoipa::ToSchema;

/// How the process of a worker ended that had a run in hand, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "EndCauseFields")]
pub struct EndCause {
    /// What ended it.
    pub kind: EndKind,
    /// The status it exited with, if it did.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// The most memory that it and all it started were seen to hold, in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// What they might hold during a run, in bytes, if there was a limit.
    pub memory_limit_bytes: Option<u64>,
    /// The CPU time of the process in all its life, in milliseconds, with that of children it waited for.
    pub cpu_ms: Option<u64>,
    /// How many processes it had started were still there, and were ended.
    pub descendants_left: usize,
    /// Its last lines on stderr, oldest first, at most 10 and 2 KiB, without secrets.
    pub stderr: Vec<String>,
    /// All of it that a person wants to know first, as a sentence without its end.
    pub summary: String,
}

/// How the process of the last attempt's worker ended. A field that does not apply or is not known is left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EndCause)]
pub struct EndCauseFields {
    /// What ended it: `exited`, `signalled`, `killed_by_us`, `out_of_memory`, `limit` or `vanished`.
    kind: &'static str,
    /// What the supervisor ended it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    why: Option<KillReason>,
    /// How far the supervisor had to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    step: Option<EscalationStep>,
    /// Who found that there was too little memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    who: Option<MemoryJudge>,
    /// The limit of the operating system that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    which: Option<ResourceLimit>,
    /// The status it exited with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    signal: Option<i32>,
    /// The most memory that it and all it started were seen to hold, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    memory_peak_bytes: Option<u64>,
    /// What they might hold during a run, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    memory_limit_bytes: Option<u64>,
    /// The CPU time of the process in all its life, in milliseconds, with that of children it waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cpu_ms: Option<u64>,
    /// How many processes it had started were still there, and were ended.
    descendants_left: usize,
    /// Its last lines on stderr, oldest first.
    stderr: Vec<String>,
    /// All of it that a person wants to know first.
    summary: String,
}

impl From<EndCause> for EndCauseFields {
    fn from(cause: EndCause) -> Self {
        let (why, step, who, which) = match cause.kind {
            EndKind::KilledByUs { why, step } => (Some(why), Some(step), None, None),
            EndKind::OutOfMemory { who } => (None, None, Some(who), None),
            EndKind::Limit { which } => (None, None, None, Some(which)),
            EndKind::Exited | EndKind::Signalled | EndKind::Vanished => (None, None, None, None),
        };
        Self {
            kind: cause.kind.word(),
            why,
            step,
            who,
            which,
            exit_code: cause.exit_code,
            signal: cause.signal,
            memory_peak_bytes: cause.memory_peak_bytes,
            memory_limit_bytes: cause.memory_limit_bytes,
            cpu_ms: cause.cpu_ms,
            descendants_left: cause.descendants_left,
            stderr: cause.stderr,
            summary: cause.summary,
        }
    }
}

/// What ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndKind {
    /// It exited by itself.
    Exited,
    /// A signal that the supervisor had not sent.
    Signalled,
    /// The supervisor.
    KilledByUs {
        /// What for.
        why: KillReason,
        /// How far it had to go.
        step: EscalationStep,
    },
    /// Want of memory.
    OutOfMemory {
        /// Who said so.
        who: MemoryJudge,
    },
    /// A limit of the operating system.
    Limit {
        /// Which one.
        which: ResourceLimit,
    },
    /// The system does not say.
    Vanished,
}

impl EndKind {
    /// All the words of the metric.
    pub const WORDS: [&str; 6] =
        ["exited", "signalled", "killed_by_us", "out_of_memory", "limit", "vanished"];

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::Signalled => "signalled",
            Self::KilledByUs { .. } => "killed_by_us",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Limit { .. } => "limit",
            Self::Vanished => "vanished",
        }
    }
}

/// What the supervisor ended a worker for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KillReason {
    /// The deadline of its run passed.
    Timeout,
    /// Somebody cancelled its run.
    Cancelled,
    /// The supervisor leaves.
    Shutdown,
    /// Another supervisor owns its run.
    LeaseLost,
    /// It was above its memory limit.
    Memory,
    /// It broke the protocol.
    ProtocolViolation,
    /// It did not become Ready in time.
    StartTimeout,
    /// It took an Execute and did not say Started in time.
    NotStarted,
    /// It finished a run and did not say Idle in time.
    NotIdle,
    /// It was to leave.
    Retired,
}

impl KillReason {
    /// As the end of a sentence that says that it was ended.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Timeout => "because the deadline of its run passed",
            Self::Cancelled => "because its run was cancelled",
            Self::Shutdown => "because the supervisor was shutting down",
            Self::LeaseLost => "because another supervisor owns its run",
            Self::Memory => "because it was above its memory limit",
            Self::ProtocolViolation => "because it broke the protocol",
            Self::StartTimeout => "because it did not become Ready in time",
            Self::NotStarted => "because it did not say Started in time",
            Self::NotIdle => "because it did not say Idle in time",
            Self::Retired => "because it was to leave",
        }
    }
}

/// How far the supervisor went to end a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EscalationStep {
    /// A Cancel or a Drain was enough.
    Asked,
    /// SIGTERM was sent.
    Terminated,
    /// SIGKILL was sent.
    Killed,
}

/// Who found that there was too little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemoryJudge {
    /// The limit of the worker's control group.
    Cgroup,
    /// The kernel, for the whole machine.
    Kernel,
    /// The supervisor, by `max_worker_memory_mb`.
    OurLimit,
    /// The worker itself, by its exit code or its last words.
    Worker,
}

/// A limit of the operating system that ends a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceLimit {
    /// CPU time: SIGXCPU.
    Cpu,
    /// The size of a file: SIGXFSZ.
    FileSize,
}
