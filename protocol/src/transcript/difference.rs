//! Two runs side by side, as their transcripts tell: the first thing that the later one did otherwise.
//!
//! Compared are calls, log records and the outcome, each as `SPEC.md` says. How often progress was told is a matter of
//! time, and what was answered is a matter of others.

use super::{EntryKind, RecordedEnd, Transcript};
use crate::compare::{is_alike, is_alike_text};
use crate::message::ToSupervisor;
use crate::shared::{JsonBytes, LogRecord, RunOutcome};

const NO_CALL: &str = "no further call";
const NO_RECORD: &str = "no further record";

/// The first place at which two runs of one workflow part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptDifference {
    /// What differs: `call 2`, `log record 1` or `the outcome`.
    pub place: String,
    /// What was there in the first of them.
    pub recorded: String,
    /// What is there in the second.
    pub replayed: String,
}

/// What is compared of a run, sorted.
#[derive(Default)]
struct RunSteps<'a> {
    calls: Vec<(&'a str, &'a JsonBytes)>,
    logs: Vec<&'a LogRecord>,
    outcome: Option<&'a RunOutcome>,
    ended: Option<&'a RecordedEnd>,
    /// The frames that were not kept. Of what comes after a gap nobody knows the places.
    dropped: u64,
}

impl Transcript {
    /// The first thing that the run of `replayed` did otherwise; none when it did the same. Masks of this transcript
    /// stand for any text.
    pub fn first_difference(&self, replayed: &Self) -> Option<TranscriptDifference> {
        let then = RunSteps::of(self);
        let mut now = RunSteps::default();
        for entry in &replayed.entries {
            let (calls, logs) = (now.calls.len(), now.logs.len());
            now.take(&entry.what);
            let new_calls = (calls..now.calls.len()).find_map(|at| then.call_differs(at, &now));
            let new_logs = || (logs..now.logs.len()).find_map(|at| then.log_differs(at, &now));
            if let Some(difference) = new_calls.or_else(new_logs) {
                return Some(difference);
            }
        }
        let missing_call = || then.call_differs(now.calls.len(), &now);
        let missing_log = || then.log_differs(now.logs.len(), &now);
        missing_call().or_else(missing_log).or_else(|| then.outcome_differs(&now))
    }

    /// How many frames were not kept.
    pub fn dropped(&self) -> u64 {
        RunSteps::of(self).dropped
    }

    /// How the run ended, on one line.
    pub fn told_outcome(&self) -> String {
        RunSteps::of(self).told_outcome()
    }
}

impl<'a> RunSteps<'a> {
    fn of(transcript: &'a Transcript) -> Self {
        let mut steps = Self::default();
        transcript.entries.iter().for_each(|entry| steps.take(&entry.what));
        steps
    }

    fn take(&mut self, what: &'a EntryKind) {
        match what {
            EntryKind::ToSupervisor(ToSupervisor::Call { method, params, .. }) if self.is_whole() => {
                self.calls.push((method, params));
            }
            EntryKind::ToSupervisor(ToSupervisor::Log { records, .. }) if self.is_whole() => {
                self.logs.extend(records);
            }
            EntryKind::ToSupervisor(ToSupervisor::Finished { outcome, .. }) => {
                self.outcome.get_or_insert(outcome);
            }
            EntryKind::Dropped(frames) => self.dropped += frames,
            EntryKind::Ended(ended) => self.ended = Some(ended),
            EntryKind::ToSupervisor(_) | EntryKind::ToWorker(_) => {}
        }
    }

    /// False after a gap.
    fn is_whole(&self) -> bool {
        self.dropped == 0
    }

    fn call_differs(&self, at: usize, now: &Self) -> Option<TranscriptDifference> {
        let show = |(method, params): &(&str, &JsonBytes)| format!("{method} {}", text(params));
        let place = || format!("call {}", at + 1);
        match (self.calls.get(at), now.calls.get(at)) {
            (Some(then), Some(now)) => {
                let same = then.0 == now.0 && is_alike(&text(then.1), &text(now.1));
                (!same).then(|| differ(place(), show(then), show(now)))
            }
            (Some(then), None) => now.is_whole().then(|| differ(place(), show(then), NO_CALL)),
            (None, Some(now)) => self.is_whole().then(|| differ(place(), NO_CALL, show(now))),
            (None, None) => None,
        }
    }

    fn log_differs(&self, at: usize, now: &Self) -> Option<TranscriptDifference> {
        let show = |record: &&LogRecord| format!("{} {:?}", record.level.as_str(), record.message);
        let place = || format!("log record {}", at + 1);
        match (self.logs.get(at), now.logs.get(at)) {
            (Some(then), Some(now)) => {
                let same = then.level == now.level && is_alike_text(&then.message, &now.message);
                (!same).then(|| differ(place(), show(then), show(now)))
            }
            (Some(then), None) => now.is_whole().then(|| differ(place(), show(then), NO_RECORD)),
            (None, Some(now)) => self.is_whole().then(|| differ(place(), NO_RECORD, show(now))),
            (None, None) => None,
        }
    }

    fn outcome_differs(&self, now: &Self) -> Option<TranscriptDifference> {
        let same = match (self.outcome, now.outcome) {
            (Some(then), Some(now)) => is_alike_outcome(then, now),
            (None, Some(outcome)) => self.succeeded_unseen() && is_success(outcome),
            (Some(outcome), None) => now.succeeded_unseen() && is_success(outcome),
            (None, None) => {
                let ended =
                    |steps: &Self| steps.ended.map(|end| (end.status.clone(), end.error_type.clone()));
                ended(self) == ended(now)
            }
        };
        (!same).then(|| differ("the outcome".to_owned(), self.told_outcome(), now.told_outcome()))
    }

    /// The supervisor saw it succeed, and the result was too large to be kept.
    fn succeeded_unseen(&self) -> bool {
        !self.is_whole() && self.ended.is_some_and(|ended| ended.status == "SUCCESS")
    }

    fn told_outcome(&self) -> String {
        match (self.outcome, self.ended) {
            (Some(outcome), _) => describe(outcome),
            (None, None) => "no Finished".to_owned(),
            (None, Some(ended)) => {
                let mut told = if self.is_whole() {
                    format!("no Finished: the supervisor ended it as {}", ended.status)
                } else {
                    format!("no Finished was kept: the supervisor recorded {}", ended.status)
                };
                if let Some(kind) = &ended.error_type {
                    told.push_str(&format!(" {kind}"));
                }
                if let Some(message) = &ended.error_message {
                    told.push_str(&format!(": {message}"));
                }
                told
            }
        }
    }
}

fn differ(place: String, recorded: impl Into<String>, replayed: impl Into<String>) -> TranscriptDifference {
    TranscriptDifference { place, recorded: recorded.into(), replayed: replayed.into() }
}

fn is_success(outcome: &RunOutcome) -> bool {
    matches!(outcome, RunOutcome::Succeeded { .. })
}

/// The words of Cancelled and Rejected hold times and paths, so their kind is what counts.
fn is_alike_outcome(then: &RunOutcome, now: &RunOutcome) -> bool {
    match (then, now) {
        (RunOutcome::Succeeded { result: then }, RunOutcome::Succeeded { result: now }) => {
            is_alike(&text(then), &text(now))
        }
        (RunOutcome::Failed { error: then }, RunOutcome::Failed { error: now }) => {
            then.kind == now.kind && is_alike_text(&then.message, &now.message)
        }
        (RunOutcome::Cancelled { .. }, RunOutcome::Cancelled { .. })
        | (RunOutcome::Rejected { .. }, RunOutcome::Rejected { .. }) => true,
        (
            RunOutcome::Succeeded { .. }
            | RunOutcome::Failed { .. }
            | RunOutcome::Cancelled { .. }
            | RunOutcome::Rejected { .. },
            _,
        ) => false,
    }
}

/// An outcome on one line.
fn describe(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Succeeded { result } => format!("Succeeded {}", text(result)),
        RunOutcome::Failed { error } => format!("Failed {}: {}", error.kind, error.message),
        RunOutcome::Cancelled { message } => format!("Cancelled: {message}"),
        RunOutcome::Rejected { reason } => format!("Rejected: {reason}"),
    }
}

/// JSON as it is written; nothing is null.
fn text(json: &JsonBytes) -> String {
    if json.is_none() { "null".to_owned() } else { String::from_utf8_lossy(&json.0).into_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A transcript of these frames.
    fn transcript(frames: &[Value]) -> Transcript {
        let header = json!({"transcript": 1, "protocol": 1, "execution_id": "e", "attempt": 1, "workflow": "w",
            "recorded_at": "t"});
        let lines = frames.iter().map(|frame| {
            let mut frame = frame.clone();
            frame["at_us"] = json!(1);
            format!("\n{frame}")
        });
        Transcript::parse(&(header.to_string() + &lines.collect::<String>())).unwrap()
    }

    fn call(key: &str) -> Value {
        json!({"to_supervisor": {"Call": {"run": 1, "call": 1, "method": "state.get", "params": {"key": key}}}})
    }

    fn log(message: &str) -> Value {
        let record =
            json!({"at_unix_us": 1, "level": "Info", "logger": "", "message": message, "fields": null});
        json!({"to_supervisor": {"Log": {"run": 1, "records": [record]}}})
    }

    fn succeeded(result: &Value) -> Value {
        json!({"to_supervisor": {"Finished": {"run": 1, "outcome": {"Succeeded": {"result": result}},
            "metrics": {}, "log_records": 0}}})
    }

    fn place(then: &[Value], now: &[Value]) -> Option<String> {
        transcript(then).first_difference(&transcript(now)).map(|difference| difference.place)
    }

    #[test]
    fn the_first_thing_that_is_otherwise_is_named_in_the_order_of_the_later_run() {
        let then = [call("a"), log("one"), call("b"), succeeded(&json!(1))];
        assert_eq!(place(&then, &then), None);
        let moved = [log("one"), call("a"), call("b"), succeeded(&json!(1))];
        assert_eq!(place(&then, &moved), None, "calls and logs each have their own order");
        let other = [call("a"), log("two"), call("c"), succeeded(&json!(2))];
        assert_eq!(place(&then, &other).as_deref(), Some("log record 1"));
        let swapped = [call("b"), call("a"), log("one"), succeeded(&json!(1))];
        assert_eq!(place(&then, &swapped).as_deref(), Some("call 1"));
        assert_eq!(place(&then, &then[..2]).as_deref(), Some("call 2"));
        assert_eq!(place(&then[..1], &then[..2]).as_deref(), Some("log record 1"));
        let difference = transcript(&then).first_difference(&transcript(&then[..2])).unwrap();
        let shown = (difference.recorded.as_str(), difference.replayed.as_str());
        assert_eq!(shown, ("state.get {\"key\":\"b\"}", "no further call"));
        let changed = [call("a"), log("one"), call("b"), succeeded(&json!(1.0))];
        assert_eq!(place(&then, &changed).as_deref(), Some("the outcome"));
    }

    #[test]
    fn after_a_gap_of_either_calls_and_logs_are_not_compared() {
        let gap = json!({"dropped": 3});
        let then = [call("a"), gap.clone(), call("z"), log("late"), succeeded(&json!(1))];
        let now = [call("a"), call("b"), log("one"), succeeded(&json!(1))];
        assert_eq!((place(&then, &now), place(&now, &then)), (None, None));
        assert_eq!(place(&then, &[call("b"), succeeded(&json!(1))]).as_deref(), Some("call 1"));
        assert_eq!(transcript(&then).dropped(), 3);
    }

    #[test]
    fn without_an_outcome_the_word_of_the_supervisor_counts() {
        let ended = |status: &str| json!({"ended": {"status": status}});
        let gap = json!({"dropped": 1});
        let unseen = [gap.clone(), ended("SUCCESS")];
        assert_eq!(place(&unseen, &[succeeded(&json!(7))]), None);
        assert_eq!(place(&[succeeded(&json!(7))], &unseen), None);
        let failed = json!({"to_supervisor": {"Finished": {"run": 1, "outcome": {"Cancelled": {"message": ""}},
            "metrics": {}, "log_records": 0}}});
        assert_eq!(place(&unseen, &[failed]).as_deref(), Some("the outcome"));
        assert_eq!(
            transcript(&unseen).told_outcome(),
            "no Finished was kept: the supervisor recorded SUCCESS"
        );
        let killed = transcript(&[ended("TIMEOUT")]);
        assert_eq!(killed.told_outcome(), "no Finished: the supervisor ended it as TIMEOUT");
        assert_eq!(place(&[ended("TIMEOUT")], &[ended("TIMEOUT")]), None);
        assert_eq!(place(&[ended("TIMEOUT")], &[ended("FAILED")]).as_deref(), Some("the outcome"));
    }
}
