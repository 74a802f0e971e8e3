//! What the workers of a generation are started with.

use std::sync::Arc;

use muster_protocol::{JsonBytes, LogLevel};
use muster_system::process::Launch;

use crate::settings::TranscriptPolicy;

/// What workers are started with.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    /// The command.
    pub launch: Arc<Launch>,
    /// `{workflows_dir, memory_limit_mb, worker_load_seconds, api_address}`.
    pub welcome_config: JsonBytes,
    /// The least level worth sending.
    pub log_level: LogLevel,
    /// Which executions leave a transcript.
    pub transcribe: TranscriptPolicy,
}
