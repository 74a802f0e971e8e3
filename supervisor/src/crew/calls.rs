//! The questions a run may ask: configuration, state, further executions.
//!
//! Every Call has its Reply. Writes are pending changes kept with the run; nothing here touches a database.

use muster_protocol::limits::{CALLS_IN_FLIGHT_MAX, IDENTIFIER_MAX_BYTES};
use muster_protocol::{CallResult, ErrorInfo, JsonBytes, method};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::run::{Answer, Run};
use crate::execution::Change;

#[derive(Deserialize)]
struct Key {
    key: String,
}

#[derive(Deserialize)]
struct KeyValue {
    key: String,
    value: Box<RawValue>,
}

#[derive(Deserialize)]
struct Submission {
    workflow: String,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

/// Answers a call, or says what must be read for the answer.
pub(super) fn answer(run: &mut Run, name: &str, params: &JsonBytes) -> Answer {
    if run.calls_in_flight >= CALLS_IN_FLIGHT_MAX {
        return refuse(
            "Busy",
            format!("{CALLS_IN_FLIGHT_MAX} calls of this run are waiting already: await some first"),
        );
    }
    match name {
        method::CONFIG_GET => with(name, params, |Key { key }| {
            Ok(Answer::Now(value_of(run.order.config.get(&key).map(|value| value.get().to_owned()))))
        }),
        method::STATE_GET => with(name, params, |Key { key }| Ok(get_state(run, check_key(key)?))),
        method::STATE_SET => with(name, params, |KeyValue { key, value }| {
            changed(run, Change::SetState { key: check_key(key)?, value }, None)
        }),
        method::STATE_DELETE => {
            with(name, params, |Key { key }| changed(run, Change::DeleteState { key: check_key(key)? }, None))
        }
        method::EXECUTION_SUBMIT => with(name, params, |submission| submit(run, submission)),
        unknown => refuse(
            "UnknownMethod",
            format!(
                "{unknown:?} is no method: use config.get, state.get, state.set, state.delete or execution.submit"
            ),
        ),
    }
}

/// The value of a key as the run sees it: its own last write, else what is committed.
fn get_state(run: &Run, key: String) -> Answer {
    match run.changes.of_key(&key) {
        Some(Change::SetState { value, .. }) => Answer::Now(value_of(Some(value.get().to_owned()))),
        Some(Change::DeleteState { .. }) => Answer::Now(value_of(None)),
        Some(Change::Submit { .. }) | None => Answer::ReadState { key },
    }
}

/// Keeps a change with the run, and answers with this value.
fn changed(run: &mut Run, change: Change, value: Option<String>) -> Result<Answer, ErrorInfo> {
    let change = run.changes.put(change)?.clone();
    Ok(Answer::Changed(value_of(value), change))
}

fn submit(run: &mut Run, submission: Submission) -> Result<Answer, ErrorInfo> {
    if submission.workflow.is_empty() || submission.workflow.len() > IDENTIFIER_MAX_BYTES {
        return Err(invalid(format!("workflow must be a name of 1 to {IDENTIFIER_MAX_BYTES} bytes")));
    }
    let execution_id = Uuid::now_v7();
    let parameters = submission.params.map_or_else(empty_object, Ok)?;
    let change = Change::Submit { execution_id, workflow: submission.workflow, parameters };
    changed(run, change, Some(format!("{{\"execution_id\":\"{execution_id}\"}}")))
}

fn empty_object() -> Result<Box<RawValue>, ErrorInfo> {
    RawValue::from_string("{}".to_owned()).map_err(|error| invalid(error.to_string()))
}

fn with<'a, P: Deserialize<'a>>(
    name: &str,
    params: &'a JsonBytes,
    answer: impl FnOnce(P) -> Result<Answer, ErrorInfo>,
) -> Answer {
    params
        .parse::<P>()
        .map_err(|error| invalid(format!("the parameters of {name}: {error}")))
        .and_then(answer)
        .unwrap_or_else(|error| Answer::Now(CallResult::Err { error }))
}

fn check_key(key: String) -> Result<String, ErrorInfo> {
    if key.is_empty() || key.len() > IDENTIFIER_MAX_BYTES {
        return Err(invalid(format!(
            "a key has 1 to {IDENTIFIER_MAX_BYTES} bytes, this one has {}",
            key.len()
        )));
    }
    Ok(key)
}

fn invalid(message: String) -> ErrorInfo {
    ErrorInfo::new("InvalidCall", message)
}

fn refuse(kind: &str, message: String) -> Answer {
    Answer::Now(CallResult::Err { error: ErrorInfo::new(kind, message) })
}

/// A value as a reply; none is `null`.
pub(super) fn value_of(text: Option<String>) -> CallResult {
    CallResult::Ok { value: JsonBytes(text.unwrap_or_else(|| "null".to_owned()).into_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crew::Order;
    use crate::execution::Attempt;
    use muster_protocol::Source;

    fn run() -> Run {
        Run::new(Order {
            attempt: Attempt::new(Uuid::nil(), 1),
            timeout: None,
            workflow: "w".into(),
            source: Source::Named,
            params: JsonBytes::NONE,
            context: JsonBytes::NONE,
            organization_id: None,
            config: std::sync::Arc::new(
                [("region".to_owned(), RawValue::from_string("\"eu\"".into()).unwrap())]
                    .into_iter()
                    .collect(),
            ),
            secrets: std::sync::Arc::default(),
            halts: false,
        })
    }

    fn call(run: &mut Run, method: &str, params: &str) -> String {
        match answer(run, method, &JsonBytes(params.into())) {
            Answer::Now(CallResult::Ok { value }) | Answer::Changed(CallResult::Ok { value }, _) => {
                String::from_utf8(value.0).unwrap()
            }
            Answer::Now(CallResult::Err { error }) | Answer::Changed(CallResult::Err { error }, _) => {
                format!("{}: {}", error.kind, error.message)
            }
            Answer::ReadState { key } => format!("read {key}"),
        }
    }

    #[test]
    fn a_run_reads_its_own_writes_before_the_store() {
        let mut run = run();
        assert_eq!(call(&mut run, "state.get", r#"{"key":"a"}"#), "read a");
        assert_eq!(call(&mut run, "state.set", r#"{"key":"a","value":{"n":1}}"#), "null");
        assert_eq!(call(&mut run, "state.get", r#"{"key":"a"}"#), r#"{"n":1}"#);
        assert_eq!(call(&mut run, "state.delete", r#"{"key":"a"}"#), "null");
        assert_eq!(call(&mut run, "state.get", r#"{"key":"a"}"#), "null");
        assert_eq!(run.changes.into_list().len(), 1, "the last write of a key counts");
    }

    #[test]
    fn configuration_comes_from_the_order() {
        let mut run = run();
        assert_eq!(call(&mut run, "config.get", r#"{"key":"region"}"#), "\"eu\"");
        assert_eq!(call(&mut run, "config.get", r#"{"key":"none"}"#), "null");
    }

    #[test]
    fn every_bad_call_has_an_answer_that_says_why() {
        let mut run = run();
        assert!(call(&mut run, "state.get", "{").starts_with("InvalidCall: the parameters of state.get"));
        assert!(call(&mut run, "state.set", r#"{"key":"a"}"#).contains("missing field `value`"));
        assert!(call(&mut run, "state.get", r#"{"key":""}"#).contains("1 to 1024 bytes"));
        assert!(call(&mut run, "state.list", "{}").starts_with("UnknownMethod: \"state.list\""));
        run.calls_in_flight = CALLS_IN_FLIGHT_MAX;
        assert!(call(&mut run, "state.get", r#"{"key":"a"}"#).starts_with("Busy"));
    }

    #[test]
    fn a_submitted_child_is_a_pending_change_with_the_id_the_run_was_told() {
        let mut run = run();
        let told = call(&mut run, "execution.submit", r#"{"workflow":"child","params":{"x":1}}"#);
        let changes = run.changes.into_list();
        let Some(Change::Submit { execution_id, workflow, parameters }) = changes.first() else { panic!() };
        assert!(told.contains(&execution_id.to_string()));
        assert_eq!((workflow.as_str(), parameters.get()), ("child", r#"{"x":1}"#));
    }
}
