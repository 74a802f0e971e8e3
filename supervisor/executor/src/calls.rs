//! The questions a run may ask: configuration, state, further executions.
//!
//! Every Call has its Reply. Writes are pending changes kept with the run; nothing here touches a database.

use muster_core::execution::{Change, check};
use muster_core::json;
use muster_protocol::limits::{CALLS_IN_FLIGHT_MAX, IDENTIFIER_MAX_BYTES};
use muster_protocol::{CallResult, ErrorInfo, JsonBytes, error_type, method};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::run::{CallAnswer, ExecutorRun};
use crate::descriptions::{BRIEF_LOOK_ENTRIES, Descriptions};

#[derive(Deserialize)]
struct StateKey {
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

/// What a run asks for, checked.
#[derive(Debug)]
pub(super) enum Question {
    Config { key: String },
    State { key: String },
    Change(Change),
}

impl Question {
    /// Reads a call. Takes as long as its parameters are large.
    pub(super) fn read(name: &str, params: &JsonBytes) -> Result<Self, ErrorInfo> {
        match name {
            method::CONFIG_GET => with(name, params, |StateKey { key }| Ok(Self::Config { key })),
            method::STATE_GET => {
                with(name, params, |StateKey { key }| Ok(Self::State { key: check_key(key)? }))
            }
            method::STATE_SET => with(name, params, |KeyValue { key, value }| {
                let key = check_key(key)?;
                fits(name, "value", &value)?;
                Ok(Self::Change(Change::SetState { key, value }))
            }),
            method::STATE_DELETE => with(name, params, |StateKey { key }| {
                Ok(Self::Change(Change::DeleteState { key: check_key(key)? }))
            }),
            method::EXECUTION_SUBMIT => with(name, params, |submission| submit(name, submission)),
            unknown => Err(ErrorInfo::new(
                "UnknownMethod",
                format!(
                    "{unknown:?} is no method: use config.get, state.get, state.set, state.delete or execution.submit"
                ),
            )),
        }
    }
}

impl Question {
    /// Refuses a child with parameters that its code does not take, where the parent can still do something about it. Code
    /// that may have changed since it was described is asked when the child is claimed.
    pub(super) fn check(self, descriptions: &Descriptions) -> Result<Self, ErrorInfo> {
        if let Self::Change(Change::Submit { workflow, parameters, .. }) = &self
            && let Some(described) = descriptions.named(workflow)
            && let Err(problems) = described.check(parameters)
            && !descriptions.may_be_stale(&described, BRIEF_LOOK_ENTRIES)
        {
            let message = format!("workflow {workflow:?}: {problems}");
            return Err(ErrorInfo::new(error_type::INVALID_PARAMETERS, message));
        }
        Ok(self)
    }
}

/// Answers a call, or says what must be read for the answer.
pub(super) fn answer(run: &mut ExecutorRun, question: Result<Question, ErrorInfo>) -> CallAnswer {
    if run.calls_in_flight >= CALLS_IN_FLIGHT_MAX {
        let message =
            format!("{CALLS_IN_FLIGHT_MAX} calls of this run are waiting already: await some first");
        return refuse(ErrorInfo::new("Busy", message));
    }
    match question {
        Ok(Question::Config { key }) => {
            CallAnswer::Now(value_of(run.spec.config.get(&key).map(|value| value.get().to_owned())))
        }
        Ok(Question::State { key }) => get_state(run, key),
        Ok(Question::Change(change)) => changed(run, change),
        Err(error) => refuse(error),
    }
}

/// The value of a key as the run sees it: its own last write, else what is committed.
fn get_state(run: &ExecutorRun, key: String) -> CallAnswer {
    match run.changes.of_key(&key) {
        Some(Change::SetState { value, .. }) => CallAnswer::Now(value_of(Some(value.get().to_owned()))),
        Some(Change::DeleteState { .. }) => CallAnswer::Now(value_of(None)),
        Some(Change::Submit { .. }) | None => CallAnswer::ReadState { key },
    }
}

/// Keeps a change with the run, and tells it the id of a child.
fn changed(run: &mut ExecutorRun, change: Change) -> CallAnswer {
    let told = match &change {
        Change::Submit { execution_id, .. } => Some(format!("{{\"execution_id\":\"{execution_id}\"}}")),
        Change::SetState { .. } | Change::DeleteState { .. } => None,
    };
    match run.changes.put(change) {
        Ok(change) => CallAnswer::Changed(value_of(told), change),
        Err(error) => refuse(error),
    }
}

fn submit(name: &str, submission: Submission) -> Result<Question, ErrorInfo> {
    check::name(&submission.workflow)
        .map_err(|problem| invalid(format!("{}: workflow: {problem}", of(name))))?;
    let execution_id = Uuid::now_v7();
    let parameters = submission.params.unwrap_or_else(json::empty_object);
    fits(name, "params", &parameters)?;
    check::frame_size(parameters.get().len() + submission.workflow.len())
        .map_err(|problem| invalid(format!("{}: {problem}", of(name))))?;
    Ok(Question::Change(Change::Submit { execution_id, workflow: submission.workflow, parameters }))
}

/// Refuses user data that is out of bounds here, where the run can still do something about it.
fn fits(name: &str, field: &str, value: &RawValue) -> Result<(), ErrorInfo> {
    json::check(value.get(), field).map_err(|unfit| invalid(format!("{}: {unfit}", of(name))))
}

fn of(name: &str) -> String {
    format!("the parameters of {name}")
}

fn with<'a, P: Deserialize<'a>>(
    name: &str,
    params: &'a JsonBytes,
    read: impl FnOnce(P) -> Result<Question, ErrorInfo>,
) -> Result<Question, ErrorInfo> {
    let parsed = params.parse::<P>().map_err(|error| {
        // Serde says what is wrong with a text, and not where in the value it is.
        let unfit = std::str::from_utf8(&params.0).ok().and_then(|text| json::check(text, "").err());
        invalid(format!("{}: {}", of(name), unfit.unwrap_or_else(|| error.to_string())))
    });
    parsed.and_then(read)
}

fn check_key(key: String) -> Result<String, ErrorInfo> {
    if key.is_empty() || key.len() > IDENTIFIER_MAX_BYTES {
        return Err(invalid(format!(
            "a key has 1 to {IDENTIFIER_MAX_BYTES} bytes, this one has {}",
            key.len()
        )));
    }
    if key.contains('\0') {
        return Err(invalid(format!("the key {key:?} holds the character U+0000, which cannot be stored")));
    }
    Ok(key)
}

fn invalid(message: String) -> ErrorInfo {
    ErrorInfo::new("InvalidCall", message)
}

fn refuse(error: ErrorInfo) -> CallAnswer {
    CallAnswer::Now(CallResult::Err { error })
}

/// A value as a reply; none is `null`.
pub(super) fn value_of(text: Option<String>) -> CallResult {
    CallResult::Ok { value: JsonBytes::from(text.unwrap_or_else(|| "null".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunSpec;
    use crate::run_spec::samples::any_spec;

    fn run() -> ExecutorRun {
        let region = RawValue::from_string("\"eu\"".into()).unwrap();
        let config = [("region".to_owned(), region)].into_iter().collect();
        ExecutorRun::new(RunSpec { config: std::sync::Arc::new(config), ..any_spec() })
    }

    fn call(run: &mut ExecutorRun, method: &str, params: &str) -> String {
        match answer(run, Question::read(method, &JsonBytes::from(params))) {
            CallAnswer::Now(CallResult::Ok { value }) | CallAnswer::Changed(CallResult::Ok { value }, _) => {
                value.into_text().unwrap()
            }
            CallAnswer::Now(CallResult::Err { error })
            | CallAnswer::Changed(CallResult::Err { error }, _) => {
                format!("{}: {}", error.kind, error.message)
            }
            CallAnswer::ReadState { key } => format!("read {key}"),
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
    fn what_cannot_be_stored_is_refused_at_the_call_with_its_path() {
        let mut run = run();
        for (method, params, path) in [
            (
                "state.set",
                r#"{"key":"a","value":{"rows":["\u0000"]}}"#,
                "state.set: value.rows[0]: holds the character",
            ),
            (
                "state.set",
                r#"{"key":"a","value":"\ud83d"}"#,
                "state.set: value: holds half of a surrogate pair",
            ),
            (
                "state.set",
                r#"{"key":"a","value":[1e401]}"#,
                "state.set: value[0]: is a number with an exponent",
            ),
            ("state.set", r#"{"key":"a\u0000","value":1}"#, r#"the key "a\0" holds the character U+0000"#),
            ("state.set", r#"{"key":"a\ud83d","value":1}"#, "state.set: key: holds half of a surrogate pair"),
            ("state.get", r#"{"key":"a\udc00"}"#, "state.get: key: holds half of a surrogate pair"),
            (
                "execution.submit",
                r#"{"workflow":"c","params":{"a":[{"b":1e100000}]}}"#,
                "params.a[0].b: is a number",
            ),
            ("execution.submit", r#"{"workflow":"c","params":["\u0000"]}"#, "params[0]: holds the character"),
            ("execution.submit", r#"{"workflow":"c\u0001"}"#, "workflow: must not hold control characters"),
        ] {
            let said = call(&mut run, method, params);
            assert!(said.starts_with("InvalidCall: ") && said.contains(path), "{method} {params}: {said}");
        }
        let deep = format!(r#"{{"workflow":"c","params":{}{}}}"#, "[".repeat(513), "]".repeat(513));
        assert!(call(&mut run, "execution.submit", &deep).contains("nested more than 512 deep"));
        assert!(run.changes.into_list().is_empty());
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
