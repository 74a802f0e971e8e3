//! Single messages: said, heard, and the handshake made of them.

use std::path::Path;
use std::time::Duration;

use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::wire::Spelling;
use muster_protocol::{JsonBytes, LogLevel, PROTOCOL_VERSION, ToSupervisor, ToWorker};
use serde_json::json;

use super::offer::{Introduction, WorkerOffer};
use super::{NextFrame, PATIENCE, WorkerSession};
use crate::failure::CheckFailure;

/// From the start of the process to Hello, by SPEC.md.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// From Welcome to Ready, by SPEC.md.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the end of the process may follow the end of its stdout, for a finding to tell how it ended.
const STATUS_WITHIN: Duration = Duration::from_secs(1);

impl WorkerSession {
    /// How this worker spells its messages, once it has said one.
    pub(crate) fn spelling(&self) -> Spelling {
        self.peer.spelling()
    }

    /// The process id in Hello.
    pub(crate) fn introduced_pid(&self) -> Option<u32> {
        self.introduced
    }

    /// The message's bytes, in the worker's spelling.
    pub(crate) fn bytes_of(&self, messages: &[&ToWorker]) -> Result<Vec<u8>, CheckFailure> {
        let mut bytes = Vec::new();
        for message in messages {
            let spelled = self.spelling().append(*message, &mut bytes);
            spelled.map_err(|error| {
                CheckFailure::NotChecked(format!("{} cannot be said: {error}", message.name()))
            })?;
        }
        Ok(bytes)
    }

    /// Says something.
    pub(crate) async fn send(&mut self, message: &ToWorker) -> Result<(), CheckFailure> {
        let bytes = self.bytes_of(&[message])?;
        self.write(&bytes).await
    }

    /// The next message, which must be one. Those of later versions are passed over, as a supervisor does.
    pub(crate) async fn expect_message(&mut self, expected: &str) -> Result<ToSupervisor, CheckFailure> {
        self.hear_within(expected, PATIENCE).await
    }

    pub(crate) async fn hear_within(
        &mut self,
        expected: &str,
        within: Duration,
    ) -> Result<ToSupervisor, CheckFailure> {
        loop {
            match self.next(within).await {
                Ok(NextFrame::Message(message)) => return Ok(message),
                Ok(NextFrame::Later) => {}
                Ok(NextFrame::End) => {
                    let seen = self.how_it_ended().await;
                    return Err(self.fault(expected, seen).await);
                }
                Err(seen) => return Err(self.fault(expected, seen).await),
            }
        }
    }

    /// Stdout must end now, with nothing more said.
    pub(crate) async fn hear_the_end(
        &mut self,
        expected: &str,
        within: Duration,
    ) -> Result<(), CheckFailure> {
        match self.next(within).await {
            Ok(NextFrame::End) => Ok(()),
            Ok(NextFrame::Message(message)) => Err(self.fault(expected, shown(&message)).await),
            Ok(NextFrame::Later) => Err(self.fault(expected, "a message of a later version").await),
            Err(seen) => Err(self.fault(expected, seen).await),
        }
    }

    async fn how_it_ended(&mut self) -> String {
        match self.exit(STATUS_WITHIN).await {
            Some(status) => format!("the end of stdout, and the process ended with {status}"),
            None => "the end of stdout, while the process lives on".to_owned(),
        }
    }

    /// Hello.
    pub(crate) async fn hello(&mut self) -> Result<Introduction, CheckFailure> {
        let expected = "Hello as the first message, at most 10 s after the start";
        match self.hear_within(expected, HELLO_WITHIN).await? {
            ToSupervisor::Hello {
                protocol_min,
                protocol_max,
                implementation,
                implementation_version,
                language,
                pid,
                features,
            } => {
                self.introduced = Some(pid);
                Ok(Introduction {
                    protocol_min,
                    protocol_max,
                    implementation,
                    implementation_version,
                    language,
                    features,
                })
            }
            other => Err(self.fault(expected, shown(&other)).await),
        }
    }

    /// Ready. Gives the workflows.
    pub(crate) async fn hear_ready(&mut self) -> Result<Vec<String>, CheckFailure> {
        let expected = "Ready, at most 60 s after Welcome";
        match self.hear_within(expected, READY_WITHIN).await? {
            ToSupervisor::Ready { workflows } => Ok(workflows),
            other => Err(self.fault(expected, shown(&other)).await),
        }
    }

    /// Hello, Welcome with all its features, Ready.
    pub(crate) async fn handshake(&mut self) -> Result<WorkerOffer, CheckFailure> {
        let introduction = self.hello().await?;
        self.send(&welcome(&introduction.features)).await?;
        let workflows = self.hear_ready().await?;
        Ok(WorkerOffer { introduction, workflows, spelling: self.spelling() })
    }
}

/// The Welcome of version 1 with these features.
pub(crate) fn welcome(features: &[String]) -> ToWorker {
    let workflows_dir = std::env::current_dir().unwrap_or_default().join("workflows");
    welcome_in(&workflows_dir, LOAD_SECONDS, features)
}

/// What a workflow file may take to be loaded, by SPEC.md.
const LOAD_SECONDS: u64 = 10;

/// The Welcome to this folder, each of whose files may take so long to be loaded.
pub(crate) fn welcome_in(workflows_dir: &Path, load_seconds: u64, features: &[String]) -> ToWorker {
    let config =
        json!({ "workflows_dir": workflows_dir, "memory_limit_mb": 0, "worker_load_seconds": load_seconds });
    ToWorker::Welcome {
        protocol: PROTOCOL_VERSION,
        worker_id: "check-worker".to_owned(),
        features: features.to_vec(),
        max_frame_bytes: u32::try_from(FRAME_MAX_BYTES).unwrap_or(u32::MAX),
        log_level: LogLevel::Debug,
        config: JsonBytes::of(&config),
    }
}

/// A message as a finding quotes it.
pub(crate) fn shown(message: &ToSupervisor) -> String {
    const SHOWN_MAX_CHARS: usize = 300;
    let text = format!("{message:?}");
    match text.char_indices().nth(SHOWN_MAX_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
