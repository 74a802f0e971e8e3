//! A run beside the recorded one: it gets the answers of then, and the first thing it does otherwise counts.

use muster_protocol::{CallResult, ErrorInfo, JsonBytes, LogRecord, RunOutcome, method};
use serde_json::Value;

use super::alike::{is_alike, is_alike_outcome, is_alike_text};
use super::recorded::{Recorded, RecordedCall, value};
use super::shown::describe;

/// Where two runs part.
pub(super) struct Difference {
    pub(super) place: String,
    pub(super) recorded: String,
    pub(super) replayed: String,
}

impl Recorded {
    /// The run asks: the answer of then. None when then too it never came, and the run was cancelled.
    pub(super) fn answer(&mut self, method: &str, params: &JsonBytes) -> Option<CallResult> {
        let asked = value(params);
        let number = self.calls_made;
        self.calls_made += 1;
        let is_same =
            |call: &RecordedCall| !call.used && call.method == method && is_alike(&call.params, &asked);
        let is_known = self.is_whole() || number < self.calls_in_order;
        let expected = self.calls.get(number).filter(|_| is_known);
        let chosen = if expected.is_some_and(is_same) {
            Some(number)
        } else if !is_known {
            self.calls.iter().position(is_same)
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
            None if self.is_whole() => {
                let (then, now) = ("no further record".to_owned(), format!("{level} {:?}", record.message));
                self.differs(format!("log record {}", number + 1), then, now);
            }
            None => {}
        }
    }

    /// The run ended.
    pub(super) fn finished(&mut self, outcome: &RunOutcome) {
        if let Some(call) = self.calls[..self.calls_in_order].get(self.calls_made) {
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
            None if self.succeeded_unseen() && matches!(outcome, RunOutcome::Succeeded { .. }) => {}
            None => self.differs("the outcome".to_owned(), self.then(), describe(outcome)),
        }
    }

    /// The supervisor saw it succeed, and the result was too large to be kept.
    fn succeeded_unseen(&self) -> bool {
        !self.is_whole() && self.ended.as_ref().is_some_and(|ended| ended.status == "SUCCESS")
    }

    /// How the run ended then.
    pub(super) fn then(&self) -> String {
        match (&self.outcome, &self.ended) {
            (Some(outcome), _) => describe(outcome),
            (None, None) => "no Finished".to_owned(),
            (None, Some(ended)) => {
                let mut text = if self.is_whole() {
                    format!("no Finished: the supervisor ended it as {}", ended.status)
                } else {
                    format!("no Finished was kept: the supervisor recorded {}", ended.status)
                };
                if let Some(kind) = &ended.error_type {
                    text.push_str(&format!(" {kind}"));
                }
                if let Some(message) = &ended.error_message {
                    text.push_str(&format!(": {message}"));
                }
                text
            }
        }
    }

    fn differs(&mut self, place: String, recorded: String, replayed: String) {
        self.difference.get_or_insert(Difference { place, recorded, replayed });
    }
}

fn not_recorded(method: &str) -> CallResult {
    let message = format!("the recording has no answer to this {method}");
    CallResult::Err { error: ErrorInfo::new("NotRecorded", message) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use muster_protocol::CancelReason;
    use muster_protocol::transcript::{RecordedEnd, Transcript};
    use serde_json::json;

    use super::super::recorded::RecordedCancel;
    use super::*;

    fn recorded(calls: &[(&str, Value, Option<Value>)]) -> Recorded {
        let mut recorded = Recorded::of(&empty(), BTreeMap::new());
        recorded.calls = calls
            .iter()
            .zip(1..)
            .map(|((method, params, result), number)| RecordedCall {
                number,
                method: (*method).to_owned(),
                params: params.clone(),
                result: result.as_ref().map(|value| CallResult::Ok { value: JsonBytes::of(value) }),
                used: false,
            })
            .collect();
        recorded.calls_in_order = recorded.calls.len();
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
        cancelled.cancel = Some(RecordedCancel {
            after_started: Duration::ZERO,
            reason: CancelReason::User,
            message: String::new(),
            grace: Duration::ZERO,
        });
        assert_eq!(ask(&mut cancelled, "state.get", &a), json!("never"));
    }

    #[test]
    fn after_a_gap_calls_find_their_equal_and_are_no_difference() {
        let (a, b) = (json!({"key": "a"}), json!({"key": "b"}));
        let mut recorded =
            recorded(&[("state.get", a.clone(), Some(json!(1))), ("state.get", b.clone(), Some(json!(2)))]);
        (recorded.calls_in_order, recorded.dropped) = (1, 3);
        assert_eq!(ask(&mut recorded, "state.get", &a), json!(1));
        assert_eq!(ask(&mut recorded, "state.get", &json!({"key": "lost"})), json!("NotRecorded"));
        assert_eq!(ask(&mut recorded, "state.get", &b), json!(2));
        assert_eq!(ask(&mut recorded, "state.get", &b), json!("NotRecorded"));
        assert!(recorded.difference.is_none());
        let mut other = super::tests::recorded(&[("state.get", a, None)]);
        other.dropped = 1;
        ask(&mut other, "state.get", &b);
        assert_eq!(other.difference.unwrap().place, "call 1");
    }

    #[test]
    fn a_success_whose_result_was_not_kept_is_what_the_supervisor_says() {
        let ended =
            |status: &str| RecordedEnd { status: status.to_owned(), error_type: None, error_message: None };
        let succeeded = RunOutcome::Succeeded { result: JsonBytes::of(&json!(1)) };
        let mut recorded = recorded(&[]);
        (recorded.ended, recorded.dropped) = (Some(ended("SUCCESS")), 1);
        assert_eq!(recorded.then(), "no Finished was kept: the supervisor recorded SUCCESS");
        recorded.finished(&succeeded);
        assert!(recorded.difference.is_none());
        recorded.finished(&RunOutcome::Cancelled { message: String::new() });
        assert_eq!(recorded.difference.unwrap().place, "the outcome");
        let mut killed = super::tests::recorded(&[]);
        killed.ended = Some(ended("TIMEOUT"));
        killed.finished(&succeeded);
        assert_eq!(killed.difference.unwrap().recorded, "no Finished: the supervisor ended it as TIMEOUT");
    }
}
