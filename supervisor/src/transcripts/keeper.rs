//! The thread that writes transcripts.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_protocol::PROTOCOL_VERSION;
use muster_protocol::transcript::{
    self, EntryKind, TRANSCRIPT_VERSION, Transcript, TranscriptEntry, TranscriptHeader,
};
use muster_system::vital;
use tokio::sync::oneshot;

use super::folder::{TranscriptFolder, TranscriptFolderError};
use super::redact;
use crate::executor::{RunRecording, unix_us};

/// So many recordings wait for the disk at most; a storm of failures leaves the others without a transcript.
const WAITING_MAX: usize = 64;

/// An attempt that ended, with what was kept of it.
#[derive(Debug)]
pub struct EndedAttempt {
    /// The attempt that ended.
    pub attempt: Attempt,
    /// The name of the workflow.
    pub workflow: String,
    /// The status that the attempt came to.
    pub status: Status,
    /// The type of the failure; `None` after a success.
    pub error_type: Option<String>,
    /// What went wrong, for a person; `None` after a success.
    pub error_message: Option<String>,
    /// The frames of the run.
    pub recording: RunRecording,
}

#[derive(Debug)]
enum KeeperTask {
    Keep(Box<EndedAttempt>),
    Flush(oneshot::Sender<()>),
}

/// Keeps transcripts. It returns at once: the executor's thread calls it.
#[derive(Debug)]
pub struct TranscriptKeeper {
    folder: Arc<TranscriptFolder>,
    work: SyncSender<KeeperTask>,
}

impl TranscriptKeeper {
    /// Starts the thread. It ends with the last handle.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(folder: TranscriptFolder) -> Result<Arc<Self>, std::io::Error> {
        let folder = Arc::new(folder);
        let (work, received) = sync_channel(WAITING_MAX);
        let to = Arc::clone(&folder);
        std::thread::Builder::new()
            .name("transcripts".to_owned())
            .spawn(move || write_all(&to, &received))?;
        Ok(Arc::new(Self { folder, work }))
    }

    /// Takes in an attempt that ended, and writes its transcript if it is to be kept.
    pub fn keep(&self, ended: EndedAttempt) {
        match self.work.try_send(KeeperTask::Keep(Box::new(ended))) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::debug!("too many failures at once: one leaves no transcript");
            }
        }
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Arc<TranscriptFolder> {
        &self.folder
    }

    /// Returns when all that was taken is written.
    pub async fn flushed(&self) {
        let (answer, answered) = oneshot::channel();
        let work = self.work.clone();
        let asked = tokio::task::spawn_blocking(move || work.send(KeeperTask::Flush(answer)).is_ok());
        if asked.await.unwrap_or(false) {
            // The thread may be gone; then nothing is left to wait for.
            let _ = answered.await;
        }
    }
}

fn write_all(folder: &TranscriptFolder, work: &Receiver<KeeperTask>) {
    let watched = vital::guard("transcripts");
    for work in work {
        if vital::is_struck("transcripts") {
            return;
        }
        match work {
            KeeperTask::Keep(ended) => {
                let attempt = ended.attempt;
                if let Err(error) = write(folder, *ended) {
                    tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, %error, "the transcript of an execution is lost");
                }
            }
            KeeperTask::Flush(answer) => {
                let _ = answer.send(());
            }
        }
    }
    watched.done();
}

#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Folder(#[from] TranscriptFolderError),
    #[error("a frame cannot be spelled as JSON: {0}")]
    Spelling(#[from] serde_json::Error),
}

fn write(folder: &TranscriptFolder, ended: EndedAttempt) -> Result<(), WriteError> {
    let attempt = ended.attempt;
    let text = transcript(ended).to_text()?;
    Ok(folder.keep(attempt, &text)?)
}

fn transcript(ended: EndedAttempt) -> Transcript {
    let EndedAttempt { attempt, workflow, status, error_type, error_message, recording } = ended;
    let (lasted_us, identity) = (recording.elapsed_us(), Arc::clone(&recording.identity));
    let secrets = Arc::clone(&recording.secrets);
    let began_us = unix_us().saturating_sub_unsigned(lasted_us);
    let mut entries = recording.into_entries();
    redact::entries(&mut entries, &secrets);
    let last = transcript::RecordedEnd { status: status.to_string(), error_type, error_message };
    let at_us = entries.last().map_or(lasted_us, |entry| entry.at_us);
    entries.push(TranscriptEntry { at_us, what: EntryKind::Ended(last) });
    let header = TranscriptHeader {
        transcript: TRANSCRIPT_VERSION,
        protocol: PROTOCOL_VERSION,
        execution_id: attempt.execution_id.to_string(),
        attempt: attempt.number,
        workflow,
        recorded_at: Timestamp::from_microsecond(began_us).unwrap_or_default().to_string(),
        implementation: identity.implementation.clone(),
        implementation_version: identity.implementation_version.clone(),
        language: identity.language.clone(),
    };
    Transcript { header, entries }
}
