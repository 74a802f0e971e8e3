//! The supervisor's place in a unit test: it answers from what was given, and keeps what it hears.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_protocol::{CallResult, ErrorInfo, JsonBytes, LogLevel, LogRecord, method};
use serde_json::{Value, json};

use crate::run::{Uplink, WorkerRun};
use crate::sdk::WorkflowError;

/// A name that is less like another was not meant to be that.
const LIKENESS_MIN: f64 = 0.75;

/// A log record that the workflow wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRecord {
    /// The level of the record.
    pub level: LogLevel,
    /// The text of the record.
    pub message: String,
    /// The values beside it: an object, or null.
    pub fields: Value,
}

/// One call of [`Context::progress`](crate::Context::progress) that the workflow made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedProgress {
    /// How many steps were done.
    pub current: u64,
    /// How many steps there were; 0 means unknown.
    pub total: u64,
    /// What the workflow said it was doing.
    pub message: String,
}

/// A question to the supervisor: `state.set` with `{"key", "value"}`, say.
#[derive(Clone, Debug, PartialEq)]
pub struct AskedCall {
    /// The method that was called.
    pub method: String,
    /// The parameters of the call.
    pub params: Value,
}

/// Another execution that the workflow submitted.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmittedExecution {
    /// The name of the workflow that was submitted.
    pub workflow: String,
    /// The parameters it was submitted with.
    pub params: Value,
}

/// An answer in the supervisor's place.
pub(super) type GivenAnswer = Box<dyn Fn(&Value) -> Result<Value, WorkflowError> + Send + Sync>;

/// Hears and answers one execution, or several after each other.
#[derive(Default)]
pub(super) struct TestDesk {
    kept: Mutex<KeptThings>,
    answers: Mutex<BTreeMap<String, GivenAnswer>>,
}

#[derive(Default)]
struct KeptThings {
    state: BTreeMap<String, Value>,
    logs: Vec<LoggedRecord>,
    progresses: Vec<ReportedProgress>,
    calls: Vec<AskedCall>,
    submitted: Vec<SubmittedExecution>,
}

impl TestDesk {
    pub(super) fn keep(&self, key: &str, value: Value) {
        self.kept().state.insert(key.to_owned(), value);
    }

    pub(super) fn answer_with(&self, method: &str, answer: GivenAnswer) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(method.to_owned(), answer);
    }

    pub(super) fn states(&self) -> BTreeMap<String, Value> {
        self.kept().state.clone()
    }

    pub(super) fn logs(&self) -> Vec<LoggedRecord> {
        self.kept().logs.clone()
    }

    pub(super) fn progresses(&self) -> Vec<ReportedProgress> {
        self.kept().progresses.clone()
    }

    pub(super) fn calls(&self) -> Vec<AskedCall> {
        self.kept().calls.clone()
    }

    pub(super) fn submitted(&self) -> Vec<SubmittedExecution> {
        self.kept().submitted.clone()
    }

    /// What is wrong with an answer to a call that there is not, and that nothing made.
    pub(super) fn stray_answer(&self) -> Option<String> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept();
        let is_made = |name: &str| kept.calls.iter().any(|call| call.method == name);
        let stray = answers.keys().find(|name| !method::ALL.contains(&name.as_str()) && !is_made(name))?;
        let likeness = |name: &&str| strsim::jaro_winkler(stray, name);
        let near = method::ALL.into_iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
        let known = match near.filter(|name| likeness(name) > LIKENESS_MIN) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("there are {}", method::ALL.join(", ")),
        };
        Some(format!("there is no call {stray:?} to be answered, and nothing made it; {known}"))
    }

    fn kept(&self) -> MutexGuard<'_, KeptThings> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &str, params: &Value) -> Result<Value, ErrorInfo> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get(method) {
            Some(given) => given(params).map_err(ErrorInfo::from),
            None => self.kept().answer(method, params),
        }
    }
}

impl KeptThings {
    /// As a supervisor answers.
    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, ErrorInfo> {
        let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = |name: &str| params.get(name).cloned().unwrap_or_default();
        match method {
            method::CONFIG_GET => Ok(Value::Null),
            method::STATE_GET => Ok(self.state.get(&text("key")).cloned().unwrap_or_default()),
            method::STATE_SET => {
                self.state.insert(text("key"), value("value"));
                Ok(Value::Null)
            }
            method::STATE_DELETE => {
                self.state.remove(&text("key"));
                Ok(Value::Null)
            }
            method::EXECUTION_SUBMIT => {
                self.submitted
                    .push(SubmittedExecution { workflow: text("workflow"), params: value("params") });
                Ok(json!({ "execution_id": format!("00000000-0000-0000-0000-{:012}", self.submitted.len()) }))
            }
            other => {
                let message =
                    format!("there is no method {other:?}; give an answer with TestContext::answer");
                Err(ErrorInfo::new("UnknownMethod", message))
            }
        }
    }
}

impl Uplink for TestDesk {
    fn started(&self, _run: u32) {}

    fn log_level(&self) -> Option<LogLevel> {
        Some(LogLevel::Debug)
    }

    fn log(&self, _run: u32, record: LogRecord) {
        let fields = record.fields.parse().unwrap_or_default();
        self.kept().logs.push(LoggedRecord { level: record.level, message: record.message, fields });
    }

    fn progress(&self, _run: u32, current: u64, total: u64, message: &str) {
        self.kept().progresses.push(ReportedProgress { current, total, message: message.to_owned() });
    }

    fn call(&self, run: &WorkerRun, call: u32, method: &str, params: JsonBytes) {
        let params: Value = params.parse().unwrap_or_default();
        self.kept().calls.push(AskedCall { method: method.to_owned(), params: params.clone() });
        let result = match self.answer(method, &params) {
            Ok(value) => CallResult::Ok { value: JsonBytes::of(&value) },
            Err(error) => CallResult::Err { error },
        };
        run.reply(call, result);
    }
}
