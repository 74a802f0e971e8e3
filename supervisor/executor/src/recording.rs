//! The frames of one run, kept while it runs, for a transcript if it ends badly.

use std::sync::Arc;
use std::time::Instant;

use muster_core::execution::{Secrets, TranscriptPolicy};
use muster_protocol::codec::Decoded;
use muster_protocol::transcript::{EntryKind, TranscriptEntry};
use muster_protocol::wire::WholeMessage;
use muster_protocol::{CallResult, CodeSource, JsonBytes, RunOutcome, ToSupervisor, ToWorker};

use super::head_tail::{HeadAndTail, HeadTailBuffer};
use super::link::AnnouncedIdentity;

/// How much is kept of the beginning of a run, Execute with its parameters included.
const HEAD_MAX_BYTES: usize = 1024 * 1024;
/// How much is kept of the end of a run.
const TAIL_MAX_BYTES: usize = 256 * 1024;

/// The frames of a run from its Execute on.
#[derive(Debug)]
pub struct RunRecording {
    /// What the worker that ran it said of itself.
    pub identity: Arc<AnnouncedIdentity>,
    /// What must not be readable in it: all its worker was ever given.
    pub secrets: Arc<Secrets>,
    transcribe: TranscriptPolicy,
    began: Instant,
    entries: HeadTailBuffer<RecordedFrame>,
}

/// A frame, and when it passed, in microseconds since the Execute.
#[derive(Debug)]
struct RecordedFrame {
    at_us: u64,
    what: RecordedMessage,
}

#[derive(Debug)]
enum RecordedMessage {
    Read(EntryKind),
    /// Records of a log, as they stood on the wire: there may be many, and few transcripts are ever written.
    Unread(WholeMessage),
}

impl RecordedFrame {
    fn read(self) -> TranscriptEntry {
        let what = match self.what {
            RecordedMessage::Read(what) => what,
            // It has been read before, when it came.
            RecordedMessage::Unread(whole) => match whole.read() {
                Ok(Decoded::Message(message)) => EntryKind::ToSupervisor(message),
                Ok(Decoded::Unknown { .. }) | Err(_) => EntryKind::Dropped(1),
            },
        };
        TranscriptEntry { at_us: self.at_us, what }
    }
}

impl RunRecording {
    /// Begins with an Execute; `None` when nothing is to be kept.
    pub(super) fn begin(
        transcribe: TranscriptPolicy,
        execute: ToWorker,
        identity: Arc<AnnouncedIdentity>,
        secrets: Arc<Secrets>,
    ) -> Option<Self> {
        if transcribe == TranscriptPolicy::None {
            return None;
        }
        let mut recording = Self {
            identity,
            secrets,
            transcribe,
            began: Instant::now(),
            entries: HeadTailBuffer::new(HEAD_MAX_BYTES, TAIL_MAX_BYTES),
        };
        let bytes = to_worker_bytes(&execute);
        recording.keep_read(bytes, || EntryKind::ToWorker(execute));
        Some(recording)
    }

    /// A frame to the worker.
    pub(super) fn sent(&mut self, message: &ToWorker) {
        self.keep_read(to_worker_bytes(message), || EntryKind::ToWorker(message.clone()));
    }

    /// A frame from the worker, and the message in it. A result is not copied where only failures leave a transcript.
    pub(super) fn received(&mut self, whole: &WholeMessage, message: &ToSupervisor) {
        let is_success =
            matches!(message, ToSupervisor::Finished { outcome: RunOutcome::Succeeded { .. }, .. });
        if is_success && self.transcribe != TranscriptPolicy::All {
            return;
        }
        if matches!(message, ToSupervisor::Log { .. }) {
            self.keep(whole.size_bytes(), || RecordedMessage::Unread(whole.copied()));
        } else {
            self.keep_read(to_supervisor_bytes(message), || EntryKind::ToSupervisor(message.clone()));
        }
    }

    /// True when an execution that ended so leaves a transcript.
    pub fn is_wanted(&self, succeeded: bool) -> bool {
        !succeeded || self.transcribe == TranscriptPolicy::All
    }

    /// The frames in order, with the gap between them where there is one.
    pub fn into_entries(self) -> Vec<TranscriptEntry> {
        let HeadAndTail { head, dropped, tail } = self.entries.into_kept();
        let read = |frames: Vec<RecordedFrame>| frames.into_iter().map(RecordedFrame::read);
        let (mut entries, tail): (Vec<_>, Vec<_>) = (read(head).collect(), read(tail).collect());
        if dropped.items > 0 {
            let at_us = tail.first().or(entries.last()).map_or(0, |entry| entry.at_us);
            entries.push(TranscriptEntry { at_us, what: EntryKind::Dropped(dropped.items) });
        }
        entries.extend(tail);
        entries
    }

    /// The time since Execute was written, in microseconds.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn keep_read(&mut self, payload_bytes: usize, what: impl FnOnce() -> EntryKind) {
        self.keep(payload_bytes, || RecordedMessage::Read(what()));
    }

    /// Keeps a frame, which is copied only if it is kept.
    fn keep(&mut self, payload_bytes: usize, what: impl FnOnce() -> RecordedMessage) {
        let at_us = self.elapsed_us();
        self.entries
            .push(size_of::<RecordedFrame>() + payload_bytes, || RecordedFrame { at_us, what: what() });
    }
}

fn to_worker_bytes(message: &ToWorker) -> usize {
    match message {
        ToWorker::Execute { workflow, source, params, context, .. } => {
            let code = match source {
                CodeSource::Named => 0,
                CodeSource::Path { path, function } => path.len() + function.len(),
                CodeSource::Inline { code, .. } => code.0.len(),
            };
            workflow.len() + code + json_bytes(params) + json_bytes(context)
        }
        ToWorker::Cancel { message, .. } => message.len(),
        ToWorker::Reply { result: CallResult::Ok { value }, .. } => json_bytes(value),
        ToWorker::Reply { result: CallResult::Err { error }, .. } => error.message.len() + error.stack.len(),
        ToWorker::Welcome { .. }
        | ToWorker::Ping { .. }
        | ToWorker::Drain { .. }
        | ToWorker::Dump { .. }
        | ToWorker::Fork { .. } => 0,
    }
}

fn to_supervisor_bytes(message: &ToSupervisor) -> usize {
    match message {
        ToSupervisor::Progress { message, .. } => message.len(),
        ToSupervisor::Call { method, params, .. } => method.len() + json_bytes(params),
        ToSupervisor::Finished { outcome, .. } => match outcome {
            RunOutcome::Succeeded { result } => json_bytes(result),
            RunOutcome::Failed { error } => error.message.len() + error.stack.len(),
            RunOutcome::Cancelled { message } => message.len(),
            RunOutcome::Rejected { reason } => reason.len(),
        },
        ToSupervisor::Goodbye { reason } => reason.len(),
        ToSupervisor::Stacks { text, .. } => text.len(),
        ToSupervisor::Hello { .. }
        | ToSupervisor::Ready { .. }
        | ToSupervisor::InitFailed { .. }
        | ToSupervisor::Started { .. }
        | ToSupervisor::Idle { .. }
        | ToSupervisor::Pong { .. }
        | ToSupervisor::Describe { .. }
        | ToSupervisor::Forked { .. }
        | ToSupervisor::Exited { .. }
        | ToSupervisor::ForkFailed { .. } => 0,
        // Kept as it stood on the wire.
        ToSupervisor::Log { .. } => 0,
    }
}

fn json_bytes(json: &JsonBytes) -> usize {
    json.0.len()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use muster_protocol::LogRecord;
    use muster_protocol::wire::{Piece, Spelling, WireDecoder};

    use super::*;

    /// A worker sent it.
    fn receive(recording: &mut RunRecording, message: &ToSupervisor) {
        let mut frame = Vec::new();
        Spelling::Binary.append(message, &mut frame).unwrap();
        let cut = WireDecoder::new().cut(&mut BytesMut::from(&frame[..])).unwrap();
        let Some(Piece::Message(whole)) = cut else { panic!("{cut:?}") };
        recording.received(&whole, message);
    }

    fn execute(params_bytes: usize) -> ToWorker {
        ToWorker::Execute {
            run: 1,
            execution_id: "e".into(),
            attempt: 1,
            workflow: "w".into(),
            source: CodeSource::Named,
            params: JsonBytes::from(vec![b' '; params_bytes]),
            context: JsonBytes::NONE,
            timeout_ms: 0,
            grace_ms: 0,
        }
    }

    fn progress(current: u64, message_bytes: usize) -> ToSupervisor {
        ToSupervisor::Progress { run: 1, current, total: 0, message: "x".repeat(message_bytes) }
    }

    fn numbers(entries: &[TranscriptEntry]) -> Vec<u64> {
        entries
            .iter()
            .filter_map(|entry| match &entry.what {
                EntryKind::ToSupervisor(ToSupervisor::Progress { current, .. }) => Some(*current),
                EntryKind::ToSupervisor(_)
                | EntryKind::ToWorker(_)
                | EntryKind::Dropped(_)
                | EntryKind::Ended(_) => None,
            })
            .collect()
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_gap_is_counted() {
        let begun =
            RunRecording::begin(TranscriptPolicy::Failed, execute(10), Arc::default(), Arc::default());
        let mut recording = begun.unwrap();
        for number in 0..3000 {
            receive(&mut recording, &progress(number, 1000));
        }
        let entries = recording.into_entries();
        let kept = numbers(&entries);
        let gap = entries.iter().find_map(|entry| match entry.what {
            EntryKind::Dropped(count) => Some(count),
            EntryKind::ToWorker(_) | EntryKind::ToSupervisor(_) | EntryKind::Ended(_) => None,
        });
        assert_eq!(kept.len() as u64 + gap.unwrap(), 3000);
        assert_eq!((kept.first(), kept.last()), (Some(&0), Some(&2999)));
        assert!(kept.len() * 1000 < HEAD_MAX_BYTES + TAIL_MAX_BYTES);
    }

    #[test]
    fn records_of_a_log_are_in_it_as_they_were_sent() {
        let begun = RunRecording::begin(TranscriptPolicy::Failed, execute(0), Arc::default(), Arc::default());
        let mut recording = begun.unwrap();
        let record = |number: u64| LogRecord {
            message: format!("{number}"),
            fields: JsonBytes::from(format!("{{\"number\":{number}}}")),
            ..LogRecord::default()
        };
        let sent = |batch| ToSupervisor::Log { run: 1, records: (batch..batch + 3).map(record).collect() };
        for batch in 0..50_000 {
            receive(&mut recording, &sent(batch));
        }
        let mut entries = recording.into_entries().into_iter().map(|entry| entry.what);
        assert_eq!(entries.nth(1), Some(EntryKind::ToSupervisor(sent(0))));
        assert_eq!(entries.last(), Some(EntryKind::ToSupervisor(sent(49_999))));
    }

    #[test]
    fn a_frame_that_is_too_large_is_counted_and_what_follows_is_kept() {
        let begun =
            RunRecording::begin(TranscriptPolicy::Failed, execute(2 << 20), Arc::default(), Arc::default());
        let mut recording = begun.unwrap();
        receive(&mut recording, &progress(7, 10));
        let entries = recording.into_entries();
        assert_eq!(entries[0].what, EntryKind::Dropped(1));
        assert_eq!(numbers(&entries), [7]);
    }

    #[test]
    fn successes_are_copied_only_where_they_leave_a_transcript() {
        let success = ToSupervisor::Finished {
            run: 1,
            outcome: RunOutcome::Succeeded { result: JsonBytes::NONE },
            metrics: muster_protocol::RunMetrics::default(),
            log_records: 0,
        };
        for (transcribe, kept) in [(TranscriptPolicy::Failed, 1), (TranscriptPolicy::All, 2)] {
            let mut recording =
                RunRecording::begin(transcribe, execute(0), Arc::default(), Arc::default()).unwrap();
            receive(&mut recording, &success);
            assert_eq!(recording.is_wanted(true), transcribe == TranscriptPolicy::All);
            assert_eq!(recording.into_entries().len(), kept);
        }
        assert!(
            RunRecording::begin(TranscriptPolicy::None, execute(0), Arc::default(), Arc::default()).is_none()
        );
    }
}
