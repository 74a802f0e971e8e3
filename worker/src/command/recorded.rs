//! What a recorded run did, step by step, and how far a replay has come in it.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::transcript::{EntryKind, RecordedEnd, Transcript};
use muster_protocol::{CallResult, CancelReason, JsonBytes, RunOutcome, ToSupervisor, ToWorker};
use serde_json::Value;

use super::compare::Difference;

/// The recording, and how far a replay has come in it.
pub(super) struct Recorded {
    /// The frame that began it; none when it was too large to be kept.
    pub(super) execute: Option<ToWorker>,
    /// The first cancel, if there was one.
    pub(super) cancel: Option<RecordedCancel>,
    /// How it ended; none when the worker was ended, or when it was too large to be kept.
    pub(super) outcome: Option<RunOutcome>,
    /// The supervisor's word on it.
    pub(super) ended: Option<RecordedEnd>,
    /// So many frames were not kept.
    pub(super) dropped: u64,
    /// The first thing that was not as it was then.
    pub(super) difference: Option<Difference>,
    pub(super) config: BTreeMap<String, Value>,
    pub(super) calls: Vec<RecordedCall>,
    /// So many calls stand before the first gap. After it nobody knows what was asked, and in which place.
    pub(super) calls_in_order: usize,
    pub(super) calls_made: usize,
    pub(super) logs: Vec<(&'static str, String)>,
    pub(super) logs_written: usize,
}

/// A cancel, as it came then.
#[derive(Clone)]
pub(super) struct RecordedCancel {
    pub(super) after_started: Duration,
    pub(super) reason: CancelReason,
    pub(super) message: String,
    pub(super) grace: Duration,
}

/// What the run asked then, and the answer.
pub(super) struct RecordedCall {
    pub(super) number: u32,
    pub(super) method: String,
    pub(super) params: Value,
    pub(super) result: Option<CallResult>,
    pub(super) used: bool,
}

impl Recorded {
    /// What a transcript tells. `config` stands in for masked values.
    pub(super) fn of(transcript: &Transcript, config: BTreeMap<String, Value>) -> Self {
        let mut recorded = Self {
            execute: None,
            cancel: None,
            outcome: None,
            ended: None,
            dropped: 0,
            difference: None,
            config,
            calls: Vec::new(),
            calls_in_order: 0,
            calls_made: 0,
            logs: Vec::new(),
            logs_written: 0,
        };
        let mut started_us = 0;
        for entry in &transcript.entries {
            match &entry.what {
                EntryKind::ToWorker(message) => {
                    let after_started = Duration::from_micros(entry.at_us.saturating_sub(started_us));
                    recorded.take_sent(message, after_started);
                }
                EntryKind::ToSupervisor(ToSupervisor::Started { .. }) => started_us = entry.at_us,
                EntryKind::ToSupervisor(message) => recorded.take_heard(message),
                EntryKind::Dropped(frames) => recorded.dropped += frames,
                EntryKind::Ended(ended) => recorded.ended = Some(ended.clone()),
            }
        }
        recorded
    }

    fn take_sent(&mut self, message: &ToWorker, after_started: Duration) {
        match message {
            ToWorker::Execute { .. } => self.execute = Some(message.clone()),
            ToWorker::Cancel { reason, message, grace_ms, .. } => {
                let grace = Duration::from_millis(u64::from(*grace_ms));
                let (reason, message) = (*reason, message.clone());
                self.cancel.get_or_insert(RecordedCancel { after_started, reason, message, grace });
            }
            ToWorker::Reply { call, result, .. } => {
                if let Some(asked) = self.calls.iter_mut().find(|asked| asked.number == *call) {
                    asked.result = Some(result.clone());
                }
            }
            ToWorker::Welcome { .. }
            | ToWorker::Ping { .. }
            | ToWorker::Drain { .. }
            | ToWorker::Dump { .. }
            | ToWorker::Fork { .. } => {}
        }
    }

    fn take_heard(&mut self, message: &ToSupervisor) {
        match message {
            ToSupervisor::Log { records, .. } if self.is_whole() => {
                let lines = records.iter().map(|record| (record.level.as_str(), record.message.clone()));
                self.logs.extend(lines);
            }
            ToSupervisor::Call { call, method, params, .. } => {
                let (method, params) = (method.clone(), value(params));
                self.calls.push(RecordedCall { number: *call, method, params, result: None, used: false });
                if self.is_whole() {
                    self.calls_in_order = self.calls.len();
                }
            }
            ToSupervisor::Finished { outcome, .. } => {
                self.outcome.get_or_insert_with(|| outcome.clone());
            }
            ToSupervisor::Log { .. }
            | ToSupervisor::Hello { .. }
            | ToSupervisor::Ready { .. }
            | ToSupervisor::InitFailed { .. }
            | ToSupervisor::Started { .. }
            | ToSupervisor::Progress { .. }
            | ToSupervisor::Idle { .. }
            | ToSupervisor::Pong { .. }
            | ToSupervisor::Goodbye { .. }
            | ToSupervisor::Stacks { .. }
            | ToSupervisor::Describe { .. }
            | ToSupervisor::Forked { .. }
            | ToSupervisor::Exited { .. }
            | ToSupervisor::ForkFailed { .. } => {}
        }
    }

    /// False after a gap.
    pub(super) fn is_whole(&self) -> bool {
        self.dropped == 0
    }
}

/// JSON that is nothing, or broken, is null.
pub(super) fn value(json: &JsonBytes) -> Value {
    json.parse().unwrap_or(Value::Null)
}
