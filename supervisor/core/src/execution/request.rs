//! What somebody wants run: the resolved request.
//!
//! A [`ExecutionRequest`] is complete and checked. It is what a row stores (`executions.request`), so nothing is ever
//! read from the message again after the claim. How a message or a pending record becomes one is in
//! [`super::draft`]. User data stays raw JSON text from end to end.

use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::draft::{InvalidRequest, RequestDraft};
use super::retry::RetryOptions;
use super::start_window::StartWindow;
use crate::json;
use crate::webhook::RequestWebhook;

/// Everything one execution was asked for with, checked.
#[derive(Clone, Debug, Serialize)]
pub struct ExecutionRequest {
    /// The execution's id: the key of its row.
    pub execution_id: Uuid,
    /// The workflow to run.
    #[serde(flatten)]
    pub target: Target,
    /// The function's parameters, any JSON. Left out they are `{}`.
    pub parameters: Box<RawValue>,
    /// The organization it runs for; `None` is the global scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<Uuid>,
    /// Who asked, a JSON object with `user_id`, `name` and `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Box<RawValue>>,
    /// Values for the run that are no parameters, any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<Box<RawValue>>,
    /// The id of the form that asked for it, kept for whoever reads the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form_id: Option<String>,
    /// The API key it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<String>,
    /// How long the run may take; `None` means the workflow's or the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// How many attempts it may be charged; `None` means the workflow's or the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// How long to wait before the first retry; it doubles with each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff_seconds: Option<f64>,
    /// What else is said of further attempts.
    #[serde(skip_serializing_if = "RetryOptions::is_empty")]
    pub retry: RetryOptions,
    /// Somebody waits for the result on the list `result:{id}`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sync: bool,
    /// 0 to 9, 9 first. Holds for rows that wait.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: u8,
    /// The queue it waits in, for the supervisors that serve it; `None` is that of whoever takes it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The limits it must have room in, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<String>,
    /// When it may start.
    #[serde(flatten)]
    pub window: StartWindow,
    /// Another submit with this key is this execution, not a second one. Keys are the organization's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How long the key is remembered; `None` means as long as the settings say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_seconds: Option<f64>,
    /// The W3C trace context it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who is told what it came to, besides the webhooks that are defined. The store looks for it in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<RequestWebhook>,
}

/// What to run: one of the three ways to say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Target {
    /// The workflow is a row of `workflows`.
    Id {
        /// The id of the row.
        workflow_id: Uuid,
    },
    /// An active row of `workflows` of that name, else a name the worker looks up.
    Name {
        /// The name by which the code is found.
        workflow: String,
    },
    /// Code that travels with the request.
    Code {
        /// The source text. In JSON it is base64.
        #[serde(serialize_with = "as_base64")]
        code: String,
        /// What to call it in logs and stacks.
        script_name: String,
        /// The code's language; empty means the worker's own.
        #[serde(skip_serializing_if = "String::is_empty")]
        language: String,
    },
}

impl Target {
    /// What people call it, where the name of a workflow given by id is not known.
    pub fn label(&self) -> String {
        match self {
            Self::Id { workflow_id } => workflow_id.to_string(),
            Self::Name { workflow } => workflow.clone(),
            Self::Code { script_name, .. } => script_name.clone(),
        }
    }
}

impl ExecutionRequest {
    /// Reads and checks a complete request: a queue message, or the text of [`ExecutionRequest::to_stored`].
    ///
    /// # Errors
    /// Every problem of the request in one error.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRequest> {
        RequestDraft::parse(json)?.into_request()
    }

    /// The text a row stores. [`ExecutionRequest::parse`] reads it back.
    pub fn to_stored(&self) -> String {
        // A struct of strings, numbers and raw JSON has no way to fail; an empty text would be refused on reading.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// All that is said of further attempts.
    pub fn retry_options(&self) -> RetryOptions {
        let stated = RetryOptions {
            max_attempts: self.max_attempts,
            backoff_seconds: self.retry_backoff_seconds,
            ..RetryOptions::default()
        };
        stated.or(self.retry.clone())
    }

    /// What two submits with one idempotency key must share: what is run, and its parameters.
    pub fn fingerprint(&self) -> String {
        let (kind, target) = match &self.target {
            Target::Id { workflow_id } => ("id", workflow_id.to_string()),
            Target::Name { workflow } => ("name", workflow.clone()),
            Target::Code { code, language, .. } => ("code", format!("{language}\n{code}")),
        };
        let target = Sha256::digest(target);
        let both = Sha256::new_with_prefix(kind)
            .chain_update(target)
            .chain_update(json::digest(self.parameters.get()));
        both.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How many bytes of a frame the user data of this request takes, context aside.
    pub fn payload_bytes(&self) -> usize {
        let code = match &self.target {
            Target::Id { .. } => 0,
            Target::Name { workflow } => workflow.len(),
            Target::Code { code, script_name, language } => code.len() + script_name.len() + language.len(),
        };
        let raw = |value: &Option<Box<RawValue>>| value.as_ref().map_or(0, |raw| raw.get().len());
        code + self.parameters.get().len() + raw(&self.caller) + raw(&self.startup)
    }
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}

fn as_base64<S: serde::Serializer>(code: &str, serializer: S) -> Result<S::Ok, S::Error> {
    use base64::Engine as _;
    serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(code))
}
