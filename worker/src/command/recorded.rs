//! What a recorded run did, step by step, and where another run departs from it.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::transcript::{MASK, Transcript, What};
use muster_protocol::{
    CallResult, CancelReason, ErrorInfo, JsonBytes, LogRecord, Outcome, ToSupervisor, ToWorker, method,
};
use serde_json::Value;

/// The recording, and how far a replay has come in it.
pub(super) struct Recorded {
    /// The frame that began it; none when it was too large to be kept.
    pub(super) execute: Option<ToWorker>,
    /// The first cancel, if there was one.
    pub(super) cancel: Option<Cancelled>,
    /// How it ended; none when the worker was ended.
    pub(super) outcome: Option<Outcome>,
    /// The first thing that was not as it was then.
    pub(super) difference: Option<Difference>,
    config: BTreeMap<String, Value>,
    calls: Vec<Call>,
    calls_made: usize,
    logs: Vec<(&'static str, String)>,
    logs_written: usize,
    /// After a gap in the recording nobody knows what was logged.
    logs_are_whole: bool,
}

/// A cancel, as it came then.
#[derive(Clone)]
pub(super) struct Cancelled {
    pub(super) after_started: Duration,
    pub(super) reason: CancelReason,
    pub(super) message: String,
    pub(super) grace: Duration,
}

struct Call {
    number: u32,
    method: String,
    params: Value,
    result: Option<CallResult>,
    used: bool,
}

/// Where two runs part.
pub(super) struct Difference {
    pub(super) place: String,
    pub(super) recorded: String,
    pub(super) replayed: String,
}

impl Recorded {
    /// What a transcript tells. `config` stands in for masked values.
    pub(super) fn of(transcript: &Transcript, config: BTreeMap<String, Value>) -> Self {
        let mut recorded = Self {
            execute: None,
            cancel: None,
            outcome: None,
            difference: None,
            config,
            calls: Vec::new(),
            calls_made: 0,
            logs: Vec::new(),
            logs_written: 0,
            logs_are_whole: true,
        };
        let mut started_us = 0;
        for entry in &transcript.entries {
            match &entry.what {
                What::ToWorker(message) => {
                    let after_started = Duration::from_micros(entry.at_us.saturating_sub(started_us));
                    recorded.take_sent(message, after_started);
                }
                What::ToSupervisor(ToSupervisor::Started { .. }) => started_us = entry.at_us,
                What::ToSupervisor(message) => recorded.take_heard(message),
                What::Dropped(_) => recorded.logs_are_whole = false,
                What::Ended(_) => {}
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
                self.cancel.get_or_insert(Cancelled { after_started, reason, message, grace });
            }
            ToWorker::Reply { call, result, .. } => {
                if let Some(asked) = self.calls.iter_mut().find(|asked| asked.number == *call) {
                    asked.result = Some(result.clone());
                }
            }
            ToWorker::Welcome { .. }
            | ToWorker::Ping { .. }
            | ToWorker::Drain { .. }
            | ToWorker::Dump { .. } => {}
        }
    }

    fn take_heard(&mut self, message: &ToSupervisor) {
        match message {
            ToSupervisor::Log { records, .. } if self.logs_are_whole => {
                let lines = records.iter().map(|record| (record.level.as_str(), record.message.clone()));
                self.logs.extend(lines);
            }
            ToSupervisor::Call { call, method, params, .. } => self.calls.push(Call {
                number: *call,
                method: method.clone(),
                params: value(params),
                result: None,
                used: false,
            }),
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
            | ToSupervisor::Stacks { .. } => {}
        }
    }

    /// The run asks: the answer of then. None when then too it never came, and the run was cancelled.
    pub(super) fn answer(&mut self, method: &str, params: &JsonBytes) -> Option<CallResult> {
        let asked = value(params);
        let number = self.calls_made;
        self.calls_made += 1;
        let is_same = |call: &Call| !call.used && call.method == method && is_alike(&call.params, &asked);
        let expected = self.calls.get(number);
        let chosen = if expected.is_some_and(is_same) {
            Some(number)
        } else {
            let then = expected
                .map_or("no further call".to_owned(), |call| format!("{} {}", call.method, call.params));
            let found = self.calls.iter().position(is_same);
            self.differs(format!("call {}", number + 1), then, format!("{method} {asked}"));
            found
        };
        let key = asked.get("key").and_then(Value::as_str);
        let given = key.filter(|_| method == method::CONFIG_GET).and_then(|key| self.config.get(key));
        let given = given.map(|value| CallResult::Ok { value: JsonBytes::of(value) });
        let call = chosen.and_then(|chosen| self.calls.get_mut(chosen));
        if let Some(call) = call {
            call.used = true;
            if call.result.is_none() && given.is_none() && self.cancel.is_some() {
                return None;
            }
            return given.or(call.result.clone()).or_else(|| Some(not_recorded(method)));
        }
        given.or_else(|| Some(not_recorded(method)))
    }

    /// The run logs.
    pub(super) fn logged(&mut self, record: &LogRecord) {
        let number = self.logs_written;
        self.logs_written += 1;
        let level = record.level.as_str();
        match self.logs.get(number) {
            Some((then, message)) if *then == level && is_alike_text(message, &record.message) => {}
            Some((then, message)) => {
                let then = format!("{then} {message:?}");
                self.differs(
                    format!("log record {}", number + 1),
                    then,
                    format!("{level} {:?}", record.message),
                );
            }
            None if self.logs_are_whole => {
                let (then, now) = ("no further record".to_owned(), format!("{level} {:?}", record.message));
                self.differs(format!("log record {}", number + 1), then, now);
            }
            None => {}
        }
    }

    /// The run ended.
    pub(super) fn finished(&mut self, outcome: &Outcome) {
        if let Some(call) = self.calls.get(self.calls_made) {
            let then = format!("{} {}", call.method, call.params);
            self.differs(format!("call {}", self.calls_made + 1), then, "no further call".to_owned());
        }
        if let Some((level, message)) = self.logs.get(self.logs_written) {
            let then = format!("{level} {message:?}");
            self.differs(
                format!("log record {}", self.logs_written + 1),
                then,
                "no further record".to_owned(),
            );
        }
        match self.outcome.clone() {
            Some(then) if is_alike_outcome(&then, outcome) => {}
            Some(then) => self.differs("the outcome".to_owned(), describe(&then), describe(outcome)),
            None => self.differs(
                "the outcome".to_owned(),
                "no Finished: the worker was ended".to_owned(),
                describe(outcome),
            ),
        }
    }

    fn differs(&mut self, place: String, recorded: String, replayed: String) {
        self.difference.get_or_insert(Difference { place, recorded, replayed });
    }
}

/// An outcome on one line.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded { result } => format!("Succeeded {}", value(result)),
        Outcome::Failed { error } => format!("Failed {}: {}", error.kind, error.message),
        Outcome::Cancelled { message } => format!("Cancelled: {message}"),
        Outcome::Rejected { reason } => format!("Rejected: {reason}"),
    }
}

fn not_recorded(method: &str) -> CallResult {
    let message = format!("the recording has no answer to this {method}");
    CallResult::Err { error: ErrorInfo::new("NotRecorded", message) }
}

fn value(json: &JsonBytes) -> Value {
    json.parse().unwrap_or(Value::Null)
}

/// The words of Cancelled and Rejected hold times and paths, so their kind is what counts.
fn is_alike_outcome(then: &Outcome, now: &Outcome) -> bool {
    match (then, now) {
        (Outcome::Succeeded { result: then }, Outcome::Succeeded { result: now }) => {
            is_alike(&value(then), &value(now))
        }
        (Outcome::Failed { error: then }, Outcome::Failed { error: now }) => {
            then.kind == now.kind && is_alike_text(&then.message, &now.message)
        }
        (Outcome::Cancelled { .. }, Outcome::Cancelled { .. })
        | (Outcome::Rejected { .. }, Outcome::Rejected { .. }) => true,
        (
            Outcome::Succeeded { .. }
            | Outcome::Failed { .. }
            | Outcome::Cancelled { .. }
            | Outcome::Rejected { .. },
            _,
        ) => false,
    }
}

/// Equal, but for what the recording masks.
fn is_alike(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::String(then), Value::String(now)) => is_alike_text(then, now),
        (Value::Array(then), Value::Array(now)) => {
            then.len() == now.len() && then.iter().zip(now).all(|(then, now)| is_alike(then, now))
        }
        (Value::Object(then), Value::Object(now)) => {
            let same = |key: &String, value: &Value| now.get(key).is_some_and(|now| is_alike(value, now));
            then.len() == now.len() && then.iter().all(|(key, value)| same(key, value))
        }
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => then == now,
    }
}

/// Equal, where each mask stands for any text.
fn is_alike_text(then: &str, now: &str) -> bool {
    let Some((first, rest)) = then.split_once(MASK) else { return then == now };
    let Some(mut now) = now.strip_prefix(first) else { return false };
    let mut parts = rest.split(MASK).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return now.ends_with(part);
        }
        let Some(at) = now.find(part) else { return false };
        now = &now[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mask_stands_for_any_text() {
        for (then, now, alike) in [
            ("key ***!", "key abc!", true),
            ("key ***!", "key !", true),
            ("key ***!", "key abc?", false),
            ("***-***-end", "a-b-end", true),
            ("***-***-end", "ab-end", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
        ] {
            assert_eq!(is_alike_text(then, now), alike, "{then} {now}");
        }
        assert!(is_alike(&json!({"a": ["***", 1]}), &json!({"a": ["x", 1]})));
        assert!(!is_alike(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
    }

    fn recorded(calls: &[(&str, Value, Option<Value>)]) -> Recorded {
        let mut recorded = Recorded::of(&empty(), BTreeMap::new());
        recorded.calls = calls
            .iter()
            .zip(1..)
            .map(|((method, params, result), number)| Call {
                number,
                method: (*method).to_owned(),
                params: params.clone(),
                result: result.as_ref().map(|value| CallResult::Ok { value: JsonBytes::of(value) }),
                used: false,
            })
            .collect();
        recorded
    }

    fn empty() -> Transcript {
        let header = json!({"transcript": 1, "protocol": 1, "execution_id": "e", "attempt": 1, "workflow": "w",
            "recorded_at": "t"});
        Transcript::parse(&header.to_string()).unwrap()
    }

    fn ask(recorded: &mut Recorded, method: &str, params: &Value) -> Value {
        match recorded.answer(method, &JsonBytes::of(params)) {
            Some(CallResult::Ok { value: found }) => value(&found),
            Some(CallResult::Err { error }) => json!(error.kind),
            None => json!("never"),
        }
    }

    #[test]
    fn calls_in_another_order_still_get_their_answers_and_are_the_difference() {
        let (a, b) = (json!({"key": "a"}), json!({"key": "b"}));
        let mut recorded =
            recorded(&[("state.get", a.clone(), Some(json!(1))), ("state.get", b.clone(), Some(json!(2)))]);
        assert_eq!(ask(&mut recorded, "state.get", &b), json!(2));
        assert_eq!(ask(&mut recorded, "state.get", &a), json!(1));
        assert_eq!(ask(&mut recorded, "state.get", &a), json!("NotRecorded"));
        assert_eq!(recorded.difference.unwrap().place, "call 1");
    }

    #[test]
    fn an_answer_that_never_came_comes_only_where_a_cancel_does_not_end_the_wait() {
        let a = json!({"key": "a"});
        let mut waiting = recorded(&[("state.get", a.clone(), None)]);
        assert_eq!(ask(&mut waiting, "state.get", &a), json!("NotRecorded"));
        let mut cancelled = recorded(&[("state.get", a.clone(), None)]);
        cancelled.cancel = Some(Cancelled {
            after_started: Duration::ZERO,
            reason: CancelReason::User,
            message: String::new(),
            grace: Duration::ZERO,
        });
        assert_eq!(ask(&mut cancelled, "state.get", &a), json!("never"));
    }
}
