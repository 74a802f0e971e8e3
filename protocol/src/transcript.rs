//! Transcripts: the frames of one run, written down so that a person can read them and a worker replay them.
//!
//! A transcript is lines of JSON: a [`TranscriptHeader`], then an [`TranscriptEntry`] for each frame in the order it passed, in the
//! spelling of JSON lines mode, and last how the attempt ended. The format is frozen like the messages in it:
//! readers pass over keys and entries they do not know.

mod difference;
mod shown;

pub use difference::TranscriptDifference;
pub use shown::{beginning, side_by_side};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::codec::Decoded;
use crate::json::{self, JsonError};
use crate::message::{ToSupervisor, ToWorker};

/// The version of the format that this code writes, and the newest it reads.
pub const TRANSCRIPT_VERSION: u16 = 1;

/// The text that stands in a transcript where a secret was.
pub const MASK: &str = "***";

/// The first line: which run it was, and who ran it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptHeader {
    /// The version of the format: [`TRANSCRIPT_VERSION`] when it was written.
    pub transcript: u16,
    /// The version of the protocol that both sides spoke.
    pub protocol: u16,
    /// The execution's id, a UUID as text.
    pub execution_id: String,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// The name of the workflow that ran.
    pub workflow: String,
    /// When Execute was written, RFC 3339.
    pub recorded_at: String,
    /// The name of the SDK or the worker, from its Hello; may be empty.
    #[serde(default)]
    pub implementation: String,
    /// The version of the SDK or the worker, from its Hello; may be empty.
    #[serde(default)]
    pub implementation_version: String,
    /// The language of the workflow, from the worker's Hello; may be empty.
    #[serde(default)]
    pub language: String,
}

/// A line after the first: what passed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptEntry {
    /// Microseconds from the writing of Execute to this.
    pub at_us: u64,
    /// The frame, or what else the line tells of.
    pub what: EntryKind,
}

/// What one line of a transcript tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The supervisor wrote a frame to the worker.
    ToWorker(ToWorker),
    /// The worker wrote a frame to the supervisor.
    ToSupervisor(ToSupervisor),
    /// So many frames were not kept here, because there were too many or they were too large.
    Dropped(u64),
    /// How the attempt ended; the last line.
    Ended(RecordedEnd),
}

/// The supervisor's word on how the attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// The status of the attempt: SUCCESS, FAILED, TIMEOUT or CANCELLED.
    pub status: String,
    /// What kind of failure, as in the record.
    #[serde(default)]
    pub error_type: Option<String>,
    /// What went wrong, as in the record.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// A transcript that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The first line: which run it was, and who ran it.
    pub header: TranscriptHeader,
    /// All the other lines, in the order in which things passed.
    pub entries: Vec<TranscriptEntry>,
}

/// A text that is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// The file holds nothing at all.
    #[error("the file is empty; save one with `supervisor transcript ID --out FILE`")]
    Empty,
    /// The first line is something else.
    #[error(
        "line 1 is not the head of a transcript ({0}); save one with `supervisor transcript ID --out FILE`"
    )]
    NoHeader(serde_json::Error),
    /// It was written by a later version.
    #[error(
        "the transcript has version {0}, and this program reads version {TRANSCRIPT_VERSION}: use a newer one"
    )]
    Version(u16),
    /// A line after the first is not an entry.
    #[error("line {line} of the transcript cannot be read: {reason}")]
    Line {
        /// The number of the line, counted from 1.
        line: usize,
        /// What is wrong with the line.
        reason: JsonError,
    },
}

impl Transcript {
    /// As lines of JSON.
    ///
    /// # Errors
    /// When a frame holds bytes that are not JSON, or code that is not UTF-8.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let mut text = serde_json::to_string(&self.header)? + "\n";
        for entry in &self.entries {
            text.push_str(&serde_json::to_string(&TranscriptRow::of(entry))?);
            text.push('\n');
        }
        Ok(text)
    }

    /// Reads lines of JSON.
    ///
    /// # Errors
    /// When it is no transcript, or one of a later version.
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, first) = lines.next().ok_or(TranscriptError::Empty)?;
        let header: TranscriptHeader = serde_json::from_str(first).map_err(TranscriptError::NoHeader)?;
        if header.transcript != TRANSCRIPT_VERSION {
            return Err(TranscriptError::Version(header.transcript));
        }
        let read = |(index, line)| read_entry(line).map_err(|reason| (index + 1, reason));
        let entries = lines.filter_map(|line| read(line).transpose()).collect::<Result<_, _>>();
        let entries = entries.map_err(|(line, reason)| TranscriptError::Line { line, reason })?;
        Ok(Self { header, entries })
    }

    /// How the attempt ended, if the transcript says.
    pub fn ended(&self) -> Option<&RecordedEnd> {
        self.entries.iter().rev().find_map(|entry| match &entry.what {
            EntryKind::Ended(ended) => Some(ended),
            EntryKind::ToWorker(_) | EntryKind::ToSupervisor(_) | EntryKind::Dropped(_) => None,
        })
    }
}

/// An entry as it is written: one of the four.
#[derive(Default, Serialize)]
struct TranscriptRow<'a> {
    at_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_worker: Option<&'a ToWorker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_supervisor: Option<&'a ToSupervisor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'a RecordedEnd>,
}

impl<'a> TranscriptRow<'a> {
    fn of(TranscriptEntry { at_us, what }: &'a TranscriptEntry) -> Self {
        let row = TranscriptRow { at_us: *at_us, ..TranscriptRow::default() };
        match what {
            EntryKind::ToWorker(message) => TranscriptRow { to_worker: Some(message), ..row },
            EntryKind::ToSupervisor(message) => TranscriptRow { to_supervisor: Some(message), ..row },
            EntryKind::Dropped(count) => TranscriptRow { dropped: Some(*count), ..row },
            EntryKind::Ended(ended) => TranscriptRow { ended: Some(ended), ..row },
        }
    }
}

/// An entry as it is read: messages are looked at one by one, because one of a later version is passed over.
#[derive(Deserialize)]
struct TranscriptRowIn<'a> {
    at_us: u64,
    #[serde(borrow)]
    to_worker: Option<&'a RawValue>,
    #[serde(borrow)]
    to_supervisor: Option<&'a RawValue>,
    dropped: Option<u64>,
    ended: Option<RecordedEnd>,
}

/// `None` for an entry of a later version.
fn read_entry(line: &str) -> Result<Option<TranscriptEntry>, JsonError> {
    let TranscriptRowIn { at_us, to_worker, to_supervisor, dropped, ended } = serde_json::from_str(line)?;
    let what = if let Some(message) = to_worker {
        known(json::from_line(message.get())?).map(EntryKind::ToWorker)
    } else if let Some(message) = to_supervisor {
        known(json::from_line(message.get())?).map(EntryKind::ToSupervisor)
    } else {
        dropped.map(EntryKind::Dropped).or(ended.map(EntryKind::Ended))
    };
    Ok(what.map(|what| TranscriptEntry { at_us, what }))
}

fn known<M>(decoded: Decoded<M>) -> Option<M> {
    match decoded {
        Decoded::Message(message) => Some(message),
        Decoded::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CodeSource, JsonBytes, RunOutcome};

    fn transcript() -> Transcript {
        let execute = ToWorker::Execute {
            run: 3,
            execution_id: "11111111-1111-1111-1111-111111111111".to_owned(),
            attempt: 1,
            workflow: "add".to_owned(),
            source: CodeSource::Named,
            params: JsonBytes::from(b"{\"a\":1.50}".to_vec()),
            context: JsonBytes::from(b"{\"config\":{}}".to_vec()),
            timeout_ms: 1000,
            grace_ms: 500,
        };
        let finished = ToSupervisor::Finished {
            run: 3,
            outcome: RunOutcome::Succeeded { result: JsonBytes::from(b"[1,2]".to_vec()) },
            metrics: crate::RunMetrics::default(),
            log_records: 0,
        };
        let ended = RecordedEnd { status: "SUCCESS".to_owned(), error_type: None, error_message: None };
        let entry = |at_us, what| TranscriptEntry { at_us, what };
        Transcript {
            header: TranscriptHeader {
                transcript: 1,
                protocol: 1,
                execution_id: "11111111-1111-1111-1111-111111111111".to_owned(),
                attempt: 1,
                workflow: "add".to_owned(),
                recorded_at: "2026-01-01T00:00:00Z".to_owned(),
                implementation: "muster-worker".to_owned(),
                implementation_version: "0.1.0".to_owned(),
                language: "javascript".to_owned(),
            },
            entries: vec![
                entry(0, EntryKind::ToWorker(execute)),
                entry(90, EntryKind::ToSupervisor(ToSupervisor::Started { run: 3 })),
                entry(95, EntryKind::Dropped(2)),
                entry(120, EntryKind::ToSupervisor(finished)),
                entry(130, EntryKind::Ended(ended)),
            ],
        }
    }

    #[test]
    fn what_is_written_can_be_read_and_numbers_keep_their_digits() {
        let text = transcript().to_text().unwrap();
        assert!(text.contains("\"params\":{\"a\":1.50}"), "{text}");
        assert_eq!(Transcript::parse(&text).unwrap(), transcript());
    }

    #[test]
    fn what_a_later_version_added_is_passed_over() {
        let text = transcript().to_text().unwrap();
        let later = text
            + "{\"at_us\":140,\"note\":\"new\"}\n{\"at_us\":141,\"to_worker\":{\"Hibernate\":{}}}\n"
            + "{\"at_us\":142,\"to_supervisor\":{\"Yawned\":{\"run\":3}}}\n";
        assert_eq!(Transcript::parse(&later).unwrap(), transcript());
    }

    #[test]
    fn what_is_no_transcript_is_said_to_be_none() {
        let head = transcript().to_text().unwrap().lines().next().unwrap().to_owned();
        for (text, says) in [
            (String::new(), "the file is empty"),
            ("{\"workflow\":\"x\"}".to_owned(), "line 1 is not the head of a transcript"),
            (head.replace("\"transcript\":1", "\"transcript\":2"), "has version 2"),
            (format!("{head}\n{{\"at_us\":1,\"to_worker\":{{\"Dump\":{{}}}}}}"), "line 2 of the transcript"),
            (format!("{head}\n\nnot json"), "line 3 of the transcript"),
        ] {
            let error = Transcript::parse(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
