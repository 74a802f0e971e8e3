//! What a replay does, as the transcript that a supervisor would have saved of it.

use std::time::Instant;

use muster_protocol::transcript::{
    EntryKind, TRANSCRIPT_VERSION, Transcript, TranscriptEntry, TranscriptHeader,
};
use muster_protocol::{LogRecord, PROTOCOL_VERSION, RunMetrics, RunOutcome, ToSupervisor, ToWorker};

/// The frames so far.
pub(super) struct Replayed {
    run: u32,
    began: Instant,
    log_records: u64,
    transcript: Transcript,
}

impl Replayed {
    /// Begins with the Execute of the recording: what was masked in it stays so.
    pub(super) fn begin(recorded: &TranscriptHeader, run: u32, execute: ToWorker, language: &str) -> Self {
        let header = TranscriptHeader {
            transcript: TRANSCRIPT_VERSION,
            protocol: PROTOCOL_VERSION,
            recorded_at: jiff::Timestamp::now().to_string(),
            implementation: "muster-worker".to_owned(),
            implementation_version: env!("CARGO_PKG_VERSION").to_owned(),
            language: language.to_owned(),
            ..recorded.clone()
        };
        let transcript = Transcript { header, entries: Vec::new() };
        let mut replayed = Self { run, began: Instant::now(), log_records: 0, transcript };
        replayed.sent(execute);
        replayed
    }

    /// A frame to the run.
    pub(super) fn sent(&mut self, message: ToWorker) {
        self.keep(EntryKind::ToWorker(message));
    }

    /// A frame of the run.
    pub(super) fn heard(&mut self, message: ToSupervisor) {
        self.keep(EntryKind::ToSupervisor(message));
    }

    /// A log record of the run.
    pub(super) fn logged(&mut self, record: LogRecord) {
        self.log_records += 1;
        self.heard(ToSupervisor::Log { run: self.run, records: vec![record] });
    }

    /// The run is over.
    pub(super) fn finished(&mut self, outcome: RunOutcome) {
        let (run, log_records) = (self.run, self.log_records);
        self.heard(ToSupervisor::Finished { run, outcome, metrics: RunMetrics::default(), log_records });
    }

    /// All of it.
    pub(super) fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn keep(&mut self, what: EntryKind) {
        let at_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.transcript.entries.push(TranscriptEntry { at_us, what });
    }
}
