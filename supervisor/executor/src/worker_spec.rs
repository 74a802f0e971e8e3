//! What the workers of a generation are started with.

use std::sync::Arc;

use muster_core::execution::TranscriptPolicy;
use muster_protocol::{JsonBytes, LogLevel};
use muster_system::process::Launch;
use muster_system::temporary::TemporaryFolders;

/// What the workers of one generation are started with.
#[derive(Clone, Debug)]
pub struct WorkerSpec {
    /// The command line with its environment.
    pub launch: Arc<Launch>,
    /// The object that Welcome carries: `{workflows_dir, memory_limit_mb, worker_load_seconds, api_address, serves_once,
    /// confinement}`.
    pub welcome_config: JsonBytes,
    /// Each worker is given one execution in its life, and knows it.
    pub serves_once: bool,
    /// The least level of log records that is worth sending.
    pub log_level: LogLevel,
    /// Which executions leave a transcript.
    pub transcribe: TranscriptPolicy,
}

impl WorkerSpec {
    /// Gives each process that is started with it a temporary folder among these, if its walls ask for one.
    pub fn launch_in(&mut self, folders: &Arc<TemporaryFolders>) {
        self.launch = Arc::new(Launch::clone(&self.launch).with_temporary(folders));
    }
}
