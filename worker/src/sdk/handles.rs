//! The parts of a context: log, configuration, state.

use muster_protocol::{JsonBytes, LogLevel, method};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::context::Context;
use super::error::WorkflowError;
use super::json::{self, NotWritten};
use crate::run::WorkerRun;

/// The log of an execution.
#[derive(Clone, Copy)]
pub struct LogHandle<'a> {
    run: &'a WorkerRun,
}

impl<'a> LogHandle<'a> {
    pub(crate) fn new(run: &'a WorkerRun) -> Self {
        Self { run }
    }

    /// For the author of the workflow.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.write(LogLevel::Debug, message, &());
    }

    /// Writes a line for whoever runs the workflow.
    pub fn info(&self, message: impl AsRef<str>) {
        self.write(LogLevel::Info, message, &());
    }

    /// Something a person may want to look at.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.write(LogLevel::Warn, message, &());
    }

    /// Writes a line that says something failed.
    pub fn error(&self, message: impl AsRef<str>) {
        self.write(LogLevel::Error, message, &());
    }

    /// Any level, with further values: something that serializes to a JSON object, or `()`.
    ///
    /// Never fails: fields that cannot be written are left out, NaN and the infinities are null, and the record says so.
    pub fn write(&self, level: LogLevel, message: impl AsRef<str>, fields: &impl Serialize) {
        let fields = match json::write(fields, "") {
            Ok(fields) if fields == b"null" => JsonBytes::NONE,
            Ok(fields) => JsonBytes::from(fields),
            Err(why) => without_what_is_lost(fields, &why),
        };
        self.run.log(level, "", message.as_ref(), fields);
    }
}

/// The fields that can be written, and what is lost.
fn without_what_is_lost(fields: &impl Serialize, why: &NotWritten) -> JsonBytes {
    let kept = match why {
        NotWritten::NoNumber(_) => serde_json::to_value(fields).ok(),
        NotWritten::NoJson(_) => None,
    };
    let mut kept = kept.and_then(|kept| kept.as_object().cloned()).unwrap_or_default();
    kept.insert("fields_dropped".to_owned(), why.to_string().into());
    JsonBytes::of(&kept)
}

/// The configuration an execution may see: the organization's entries over the global ones.
#[derive(Clone, Copy)]
pub struct ConfigHandle<'a> {
    context: &'a Context,
}

impl<'a> ConfigHandle<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    /// An entry, or `None`.
    ///
    /// # Errors
    /// When the entry is not of this type.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, WorkflowError> {
        if let Some(value) = self.context.about().config.get(key) {
            return Ok(serde_json::from_value(value.clone())?);
        }
        self.context.call(method::CONFIG_GET, &json!({ "key": key })).await
    }
}

/// State that outlives executions. What is written here is applied when the execution ends.
#[derive(Clone, Copy)]
pub struct StateHandle<'a> {
    context: &'a Context,
}

impl<'a> StateHandle<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    /// An entry, with this execution's own writes seen, or `None`.
    ///
    /// # Errors
    /// When the entry is not of this type, or the supervisor cannot read it.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, WorkflowError> {
        self.context.call(method::STATE_GET, &json!({ "key": key })).await
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// When the value is not JSON or cannot be kept, or the supervisor refuses it.
    pub async fn set(&self, key: &str, value: &impl Serialize) -> Result<(), WorkflowError> {
        // A struct and no `Value`: what was given arrives as it was written.
        #[derive(Serialize)]
        struct SetState<'a, V> {
            key: &'a str,
            value: &'a V,
        }
        self.context.call::<IgnoredAny>(method::STATE_SET, &SetState { key, value }).await.map(|_| ())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// When the supervisor refuses.
    pub async fn delete(&self, key: &str) -> Result<(), WorkflowError> {
        let params = json!({ "key": key });
        self.context.call::<IgnoredAny>(method::STATE_DELETE, &params).await.map(|_| ())
    }
}
