//! What a recorded run was told, and the answers that a replay still gets of it.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::compare::is_alike;
use muster_protocol::transcript::{EntryKind, Transcript};
use muster_protocol::{CallResult, CancelReason, ErrorInfo, JsonBytes, ToSupervisor, ToWorker, method};
use serde_json::Value;

/// What was sent to the run, and how far a replay has come in it.
pub(super) struct Recorded {
    /// The frame that began it; none when it was too large to be kept.
    pub(super) execute: Option<ToWorker>,
    /// The first cancel, if there was one.
    pub(super) cancel: Option<RecordedCancel>,
    config: BTreeMap<String, Value>,
    calls: Vec<RecordedCall>,
    /// So many calls stand before the first gap. After it nobody knows what was asked, and in which place.
    calls_in_order: usize,
    calls_made: usize,
    is_whole: bool,
}

/// What a replayed run is answered.
#[derive(Clone, Debug)]
pub(super) enum RecordedAnswer {
    /// The answer of then.
    Given(CallResult),
    /// Then too it never came, and the run was cancelled.
    Never,
    /// This call, counted from 1, was not made then, or was the last thing that the worker did.
    Past { call: usize },
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
struct RecordedCall {
    number: u32,
    method: String,
    params: String,
    result: Option<CallResult>,
    used: bool,
}

impl Recorded {
    /// What a transcript tells. `config` stands in for masked values.
    pub(super) fn of(transcript: &Transcript, config: BTreeMap<String, Value>) -> Self {
        let mut recorded = Self {
            execute: None,
            cancel: None,
            config,
            calls: Vec::new(),
            calls_in_order: 0,
            calls_made: 0,
            is_whole: true,
        };
        let mut started_us = 0;
        for entry in &transcript.entries {
            match &entry.what {
                EntryKind::ToWorker(message) => {
                    let after_started = Duration::from_micros(entry.at_us.saturating_sub(started_us));
                    recorded.take_sent(message, after_started);
                }
                EntryKind::ToSupervisor(ToSupervisor::Started { .. }) => started_us = entry.at_us,
                EntryKind::ToSupervisor(ToSupervisor::Call { call, method, params, .. }) => {
                    recorded.take_call(*call, method, params);
                }
                EntryKind::Dropped(_) => recorded.is_whole = false,
                EntryKind::ToSupervisor(_) | EntryKind::Ended(_) => {}
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

    fn take_call(&mut self, number: u32, method: &str, params: &JsonBytes) {
        let (method, params) = (method.to_owned(), text(params));
        self.calls.push(RecordedCall { number, method, params, result: None, used: false });
        if self.is_whole {
            self.calls_in_order = self.calls.len();
        }
    }

    /// The run asks.
    pub(super) fn answer(&mut self, method: &str, params: &JsonBytes) -> RecordedAnswer {
        let asked = text(params);
        let number = self.calls_made;
        self.calls_made += 1;
        let is_same =
            |call: &RecordedCall| !call.used && call.method == method && is_alike(&call.params, &asked);
        let in_its_place = self.calls[..self.calls_in_order].get(number).is_some_and(is_same);
        let chosen = if in_its_place { Some(number) } else { self.calls.iter().position(is_same) };
        if let Some(given) = self.given(method, params) {
            if let Some(call) = chosen.and_then(|chosen| self.calls.get_mut(chosen)) {
                call.used = true;
            }
            return RecordedAnswer::Given(given);
        }
        let Some(call) = chosen.and_then(|chosen| self.calls.get_mut(chosen)) else {
            return self.past(method);
        };
        call.used = true;
        match call.result.clone() {
            Some(result) => RecordedAnswer::Given(result),
            None if self.cancel.is_some() => RecordedAnswer::Never,
            None => self.past(method),
        }
    }

    /// There is no answer to this. After a gap it may have been lost; else the run does what it did not do then.
    fn past(&self, method: &str) -> RecordedAnswer {
        match self.is_whole {
            true => RecordedAnswer::Past { call: self.calls_made },
            false => RecordedAnswer::Given(not_recorded(method)),
        }
    }

    /// The configuration entry that was given in the place of a masked one.
    fn given(&self, method: &str, params: &JsonBytes) -> Option<CallResult> {
        if method != method::CONFIG_GET {
            return None;
        }
        let asked = params.parse::<Value>().ok()?;
        let value = self.config.get(asked.get("key")?.as_str()?)?;
        Some(CallResult::Ok { value: JsonBytes::of(value) })
    }
}

fn text(json: &JsonBytes) -> String {
    String::from_utf8_lossy(&json.0).into_owned()
}

fn not_recorded(method: &str) -> CallResult {
    let message = format!("the recording has no answer to this {method}");
    CallResult::Err { error: ErrorInfo::new("NotRecorded", message) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A recording of these calls with their answers; where there is no call there is a gap.
    fn recorded(frames: &[Option<(&str, Option<i64>)>]) -> Recorded {
        let header = json!({"transcript": 1, "protocol": 1, "execution_id": "e", "attempt": 1, "workflow": "w",
            "recorded_at": "t"});
        let mut lines = vec![header.to_string()];
        for (call, frame) in (1..).zip(frames) {
            let Some((key, answer)) = frame else {
                lines.push(json!({"at_us": 1, "dropped": 3}).to_string());
                continue;
            };
            let asked = json!({"run": 1, "call": call, "method": "state.get", "params": {"key": key}});
            lines.push(json!({"at_us": 1, "to_supervisor": {"Call": asked}}).to_string());
            if let Some(value) = answer {
                let reply = json!({"run": 1, "call": call, "result": {"Ok": {"value": value}}});
                lines.push(json!({"at_us": 1, "to_worker": {"Reply": reply}}).to_string());
            }
        }
        Recorded::of(&Transcript::parse(&lines.join("\n")).unwrap(), BTreeMap::new())
    }

    fn ask(recorded: &mut Recorded, key: &str) -> Value {
        match recorded.answer("state.get", &JsonBytes::of(&json!({ "key": key }))) {
            RecordedAnswer::Given(CallResult::Ok { value }) => value.parse().unwrap(),
            RecordedAnswer::Given(CallResult::Err { error }) => json!(error.kind),
            RecordedAnswer::Never => json!("never"),
            RecordedAnswer::Past { call } => json!(format!("past it, call {call}")),
        }
    }

    #[test]
    fn calls_in_another_order_still_get_their_answers_once() {
        let mut recorded = recorded(&[Some(("a", Some(1))), Some(("b", Some(2)))]);
        assert_eq!(ask(&mut recorded, "b"), json!(2));
        assert_eq!(ask(&mut recorded, "a"), json!(1));
        assert_eq!(ask(&mut recorded, "a"), json!("past it, call 3"));
    }

    #[test]
    fn an_answer_that_never_came_comes_only_where_a_cancel_does_not_end_the_wait() {
        let mut waiting = recorded(&[Some(("a", None))]);
        assert_eq!(ask(&mut waiting, "a"), json!("past it, call 1"));
        let mut cancelled = recorded(&[Some(("a", None))]);
        cancelled.cancel = Some(RecordedCancel {
            after_started: Duration::ZERO,
            reason: CancelReason::User,
            message: String::new(),
            grace: Duration::ZERO,
        });
        assert_eq!(ask(&mut cancelled, "a"), json!("never"));
    }

    #[test]
    fn after_a_gap_calls_find_their_equal() {
        let mut recorded = recorded(&[Some(("a", Some(1))), None, Some(("b", Some(2)))]);
        assert_eq!(ask(&mut recorded, "a"), json!(1));
        assert_eq!(ask(&mut recorded, "lost"), json!("NotRecorded"));
        assert_eq!(ask(&mut recorded, "b"), json!(2));
        assert_eq!(ask(&mut recorded, "b"), json!("NotRecorded"));
    }
}
