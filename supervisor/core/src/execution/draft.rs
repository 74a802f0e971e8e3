//! A request on its way in: what a message, an HTTP body, a line of a batch file or a pending record says,
//! not yet complete.
//!
//! A draft collects every problem it meets, so that whoever wrote the message reads all of them at once. It
//! does no I/O: the intake looks up the pending record and [merges](RequestDraft::or) it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::check;
use super::request::{ExecutionRequest, Target};
use super::retry::RetryOptions;
use super::start_window::StartWindow;
use crate::json;
use crate::webhook::RequestWebhook;

/// Why a request cannot be run: every problem at once, each with the field it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid request: {}", problems.join("; "))]
pub struct InvalidRequest {
    /// The execution it was meant for, if that could be read.
    pub execution_id: Option<Uuid>,
    /// One sentence each, beginning with the field's name.
    pub problems: Vec<String>,
}

/// The fields of a request as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct RequestDraft {
    /// The execution's id, once somebody gave one.
    pub execution_id: Option<Uuid>,
    target: Vec<Target>,
    code_detail: CodeDetail,
    parameters: Option<Box<RawValue>>,
    organization_id: Option<Uuid>,
    caller: Option<Box<RawValue>>,
    startup: Option<Box<RawValue>>,
    form_id: Option<String>,
    api_key_id: Option<String>,
    timeout_seconds: Option<f64>,
    max_attempts: Option<u32>,
    retry_backoff_seconds: Option<f64>,
    retry: Option<RetryOptions>,
    sync: Option<bool>,
    priority: Option<u8>,
    queue: Option<String>,
    limits: Option<Vec<String>>,
    window: StartWindow,
    idempotency_key: Option<String>,
    idempotency_seconds: Option<f64>,
    traceparent: Option<String>,
    /// What came beside the body.
    traceparent_beside: Option<String>,
    webhook: Option<RequestWebhook>,
    problems: Vec<String>,
}

/// What belongs to inline code, which may also stand alone by mistake.
#[derive(Clone, Debug, Default)]
struct CodeDetail {
    script_name: Option<String>,
    language: Option<String>,
}

/// The same fields, unparsed. Unknown fields are passed over; `null` counts as left out.
#[derive(Deserialize, ToSchema)]
#[schema(description = "One of workflow_id, workflow and code says what to run.")]
struct RequestFields<'a> {
    #[serde(borrow)]
    #[schema(value_type = Option<Uuid>)]
    execution_id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Uuid>)]
    workflow_id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    workflow: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>, content_encoding = "base64")]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    script_name: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    language: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(value_type = Value, required = false)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    #[schema(ignore)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Object>)]
    caller: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Value, required = false)]
    startup: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    form_id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    api_key_id: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0)]
    timeout_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<u32>, minimum = 1)]
    max_attempts: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    retry_backoff_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<RetryOptions>)]
    retry: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<bool>)]
    sync: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<u8>, minimum = 0, maximum = 9)]
    priority: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    queue: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Vec<String>>, max_items = 4)]
    limits: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Timestamp>)]
    run_at: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<f64>, minimum = 0)]
    delay_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<Timestamp>)]
    expires_at: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0)]
    expires_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0)]
    idempotency_seconds: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    traceparent: Option<&'a RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<RequestWebhook>)]
    webhook: Option<&'a RawValue>,
}

/// A draft is documented by the fields it is read from.
impl PartialSchema for RequestDraft {
    fn schema() -> RefOr<Schema> {
        RequestFields::schema()
    }
}

impl ToSchema for RequestDraft {
    fn name() -> Cow<'static, str> {
        "Request".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        RequestFields::schemas(schemas);
    }
}

/// Parameters may be `null` on purpose, so their `null` is a value.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl RequestDraft {
    /// Reads a JSON object. Problems of single fields are kept until [`RequestDraft::into_request`].
    ///
    /// # Errors
    /// When the bytes are no JSON object at all.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidRequest> {
        let refuse = |reason: String| InvalidRequest {
            execution_id: None,
            problems: vec![format!("not a JSON object of request fields: {reason}")],
        };
        // Serde would also read the fields from an array, by position.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(refuse("it does not begin with {".to_owned()));
        }
        let fields: RequestFields =
            serde_json::from_slice(json).map_err(|error| refuse(error.to_string()))?;
        let mut draft = Self::default();
        draft.read_target(&fields);
        draft.read_data(&fields);
        draft.read_limits(&fields);
        Ok(draft)
    }

    /// The fields of a JSON object that no request has, in order. Nothing where it is no JSON object.
    ///
    /// A message may hold them, for whoever reads it beside us. Where somebody waits for the answer they are a mistake.
    pub fn unknown_fields(json: &[u8]) -> Vec<String> {
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_slice(json).unwrap_or_default();
        fields.into_keys().filter(|name| !Self::field_names().contains(name)).collect()
    }

    /// The names of all fields of a request, as they are documented, and `params`.
    pub fn field_names() -> &'static [String] {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        NAMES.get_or_init(|| {
            let documented = match RequestFields::schema() {
                RefOr::T(Schema::Object(object)) => object.properties.into_keys().collect(),
                RefOr::T(_) | RefOr::Ref(_) => Vec::new(),
            };
            documented.into_iter().chain(["params".to_owned()]).collect()
        })
    }

    /// A draft that says nothing but which execution it is about.
    pub fn of(execution_id: Uuid) -> Self {
        Self { execution_id: Some(execution_id), ..Self::default() }
    }

    /// Notes further problems of the request, each beginning with the field it is about.
    pub fn refuse(&mut self, problems: impl IntoIterator<Item = String>) {
        self.problems.extend(problems);
    }

    /// True when it does not say what to run, so that the row or the pending record must.
    pub fn is_minimal(&self) -> bool {
        self.target.is_empty() && self.problems.is_empty()
    }

    /// True when somebody waits for the reply, as far as it says so.
    pub fn is_sync(&self) -> bool {
        self.sync == Some(true)
    }

    /// True when it says with which parameters, so that a pending record has little to add.
    pub fn has_parameters(&self) -> bool {
        self.parameters.is_some()
    }

    /// Fills the fields left out here with those of `other`, the pending record.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        if self.target.is_empty() && !self.code_detail.is_some() {
            self.target = other.target;
            self.code_detail = other.code_detail;
        }
        let null = self.parameters.as_ref().is_some_and(|raw| raw.get() == "null");
        if self.parameters.is_none() || (null && other.parameters.is_some()) {
            self.parameters = other.parameters;
        }
        self.problems.extend(other.problems.into_iter().map(|problem| format!("pending record: {problem}")));
        Self {
            execution_id: self.execution_id.or(other.execution_id),
            organization_id: self.organization_id.or(other.organization_id),
            caller: self.caller.or(other.caller),
            startup: self.startup.or(other.startup),
            form_id: self.form_id.or(other.form_id),
            api_key_id: self.api_key_id.or(other.api_key_id),
            timeout_seconds: self.timeout_seconds.or(other.timeout_seconds),
            max_attempts: self.max_attempts.or(other.max_attempts),
            retry_backoff_seconds: self.retry_backoff_seconds.or(other.retry_backoff_seconds),
            retry: self.retry.or(other.retry),
            sync: self.sync.or(other.sync),
            priority: self.priority.or(other.priority),
            queue: self.queue.or(other.queue),
            limits: self.limits.or(other.limits),
            window: self.window.or(other.window),
            idempotency_key: self.idempotency_key.or(other.idempotency_key),
            idempotency_seconds: self.idempotency_seconds.or(other.idempotency_seconds),
            traceparent: self.traceparent.or(other.traceparent),
            traceparent_beside: self.traceparent_beside.or(other.traceparent_beside),
            webhook: self.webhook.or(other.webhook),
            ..self
        }
    }

    /// Gives it an id if it has none.
    #[must_use]
    pub fn with_default_id(mut self, execution_id: Uuid) -> Self {
        self.execution_id.get_or_insert(execution_id);
        self
    }

    /// Takes the idempotency key that came beside the body. One that stands in the body too must be the same.
    pub fn take_idempotency_key(&mut self, key: &str) {
        self.problems.extend(
            check::idempotency_key_text(key).err().map(|problem| format!("Idempotency-Key: {problem}")),
        );
        match &self.idempotency_key {
            Some(stated) if stated != key => {
                self.problems.push(
                    "idempotency_key: is another than the one in the header Idempotency-Key; give one of them".to_owned(),
                );
            }
            Some(_) | None => self.idempotency_key = Some(key.to_owned()),
        }
    }

    /// Takes the W3C trace context that came beside the body, as whatever is instrumented sends it by itself. What the body or
    /// the pending record says stands above it, and what is none is passed over.
    pub fn take_traceparent(&mut self, traceparent: &str) {
        if check::name(traceparent).is_ok() {
            self.traceparent_beside = Some(traceparent.to_owned());
        }
    }

    /// The finished request.
    ///
    /// # Errors
    /// Every problem in one error: bad fields, nothing or too much to run, too large for a frame.
    pub fn into_request(mut self) -> Result<ExecutionRequest, InvalidRequest> {
        let target = self.take_target();
        self.spread_retry();
        if self.execution_id.is_none() && self.problems.iter().all(|p| !p.starts_with("execution_id:")) {
            self.problems.push("execution_id: is missing; give a UUID".to_owned());
        }
        let (Some(execution_id), Some(target)) = (self.execution_id, target) else {
            return Err(InvalidRequest { execution_id: self.execution_id, problems: self.problems });
        };
        let request = ExecutionRequest {
            execution_id,
            target,
            parameters: self.parameters.unwrap_or_else(json::empty_object),
            organization_id: self.organization_id,
            caller: self.caller,
            startup: self.startup,
            form_id: self.form_id,
            api_key_id: self.api_key_id,
            timeout_seconds: self.timeout_seconds,
            max_attempts: self.max_attempts,
            retry_backoff_seconds: self.retry_backoff_seconds,
            retry: self.retry.unwrap_or_default(),
            sync: self.sync.unwrap_or(false),
            priority: self.priority.unwrap_or(0),
            queue: self.queue,
            limits: self.limits.unwrap_or_default(),
            window: self.window,
            idempotency_key: self.idempotency_key,
            idempotency_seconds: self.idempotency_seconds,
            traceparent: self.traceparent.or(self.traceparent_beside),
            webhook: self.webhook,
        };
        self.problems.extend(request.window.problems());
        self.problems.extend(check::frame_size(request.payload_bytes()).err());
        if self.problems.is_empty() {
            Ok(request)
        } else {
            Err(InvalidRequest { execution_id: Some(execution_id), problems: self.problems })
        }
    }

    /// Two fields of a retry policy have names of their own, too: they stand there from here on.
    fn spread_retry(&mut self) {
        let Some(retry) = &mut self.retry else { return };
        let (attempts, backoff) = (retry.max_attempts.take(), retry.backoff_seconds.take());
        if attempts.is_some() && self.max_attempts.is_some() {
            self.problems.push(
                "max_attempts, retry.max_attempts: two names of one field; give one of them".to_owned(),
            );
        }
        if backoff.is_some() && self.retry_backoff_seconds.is_some() {
            let names = "retry_backoff_seconds, retry.backoff_seconds";
            self.problems.push(format!("{names}: two names of one field; give one of them"));
        }
        self.max_attempts = self.max_attempts.or(attempts);
        self.retry_backoff_seconds = self.retry_backoff_seconds.or(backoff);
    }

    fn take_target(&mut self) -> Option<Target> {
        let detail = std::mem::take(&mut self.code_detail);
        let stray_detail = detail.is_some() && !matches!(self.target.as_slice(), [Target::Code { .. }]);
        match self.target.as_slice() {
            [] if self.problems.is_empty() => {
                self.problems
                    .push("workflow_id, workflow, code: all missing; give exactly one of them".to_owned());
                return None;
            }
            [] => return None,
            [_] => {}
            [..] => {
                let message = "workflow_id, workflow, code: more than one given; give exactly one of them";
                self.problems.push(message.to_owned());
            }
        }
        if stray_detail {
            self.problems.push("script_name, language: only go with code".to_owned());
        }
        let mut target = self.target.pop()?;
        if let Target::Code { script_name, language, .. } = &mut target {
            *script_name = detail.script_name.unwrap_or_else(|| "script".to_owned());
            *language = detail.language.unwrap_or_default();
        }
        Some(target)
    }

    fn read_target(&mut self, fields: &RequestFields<'_>) {
        self.execution_id = self.take("execution_id", fields.execution_id, check::uuid);
        let workflow_id = self.take("workflow_id", fields.workflow_id, check::uuid);
        let workflow = self.take("workflow", fields.workflow, check::identifier);
        let code = self.take("code", fields.code, check::code);
        self.target.extend(workflow_id.map(|workflow_id| Target::Id { workflow_id }));
        self.target.extend(workflow.map(|workflow| Target::Name { workflow }));
        self.target.extend(code.map(|code| Target::Code {
            code,
            script_name: String::new(),
            language: String::new(),
        }));
        self.code_detail = CodeDetail {
            script_name: self.take("script_name", fields.script_name, check::identifier),
            language: self.take("language", fields.language, check::identifier),
        };
    }

    fn read_data(&mut self, fields: &RequestFields<'_>) {
        if fields.parameters.is_some() && fields.params.is_some() {
            self.problems.push("parameters, params: two names of one field; give one of them".to_owned());
        }
        let name = if fields.parameters.is_some() { "parameters" } else { "params" };
        self.parameters = self.data(name, fields.parameters.or(fields.params));
        self.organization_id = self.take("organization_id", fields.organization_id, check::uuid);
        let caller = self.data("caller", fields.caller);
        self.caller = self.take("caller", caller.as_deref(), check::object);
        self.startup = self.data("startup", fields.startup);
        self.form_id = self.take("form_id", fields.form_id, check::identifier);
        self.api_key_id = self.take("api_key_id", fields.api_key_id, check::identifier);
        self.traceparent = self.take("traceparent", fields.traceparent, check::identifier);
        self.webhook = self.take("webhook", fields.webhook, check::webhook);
    }

    fn read_limits(&mut self, fields: &RequestFields<'_>) {
        self.timeout_seconds = self.take("timeout_seconds", fields.timeout_seconds, check::timeout_seconds);
        self.max_attempts = self.take("max_attempts", fields.max_attempts, check::max_attempts);
        self.retry_backoff_seconds =
            self.take("retry_backoff_seconds", fields.retry_backoff_seconds, check::backoff_seconds);
        self.retry = self.take("retry", fields.retry, check::retry);
        self.sync = self.take("sync", fields.sync, check::boolean);
        self.priority = self.take("priority", fields.priority, check::priority);
        self.queue = self.take("queue", fields.queue, check::queue);
        self.limits = self.take("limits", fields.limits, check::limits);
        self.window = StartWindow {
            run_at: self.take("run_at", fields.run_at, check::moment),
            delay_seconds: self.take("delay_seconds", fields.delay_seconds, check::delay_seconds),
            expires_at: self.take("expires_at", fields.expires_at, check::moment),
            expires_seconds: self.take("expires_seconds", fields.expires_seconds, check::timeout_seconds),
        };
        self.idempotency_key = self.take("idempotency_key", fields.idempotency_key, check::idempotency_key);
        self.idempotency_seconds =
            self.take("idempotency_seconds", fields.idempotency_seconds, check::timeout_seconds);
    }

    /// User data: any JSON, within the bounds.
    fn data(&mut self, name: &str, raw: Option<&RawValue>) -> Option<Box<RawValue>> {
        let raw = raw?;
        self.problems.extend(json::check(raw.get(), name).err());
        Some(raw.to_owned())
    }

    /// Reads and checks one field; what is wrong with it joins the problems.
    fn take<T>(
        &mut self,
        name: &str,
        raw: Option<&RawValue>,
        check: fn(&RawValue) -> Result<T, String>,
    ) -> Option<T> {
        match check(raw?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problems.push(format!("{name}: {problem}"));
                None
            }
        }
    }
}

impl CodeDetail {
    fn is_some(&self) -> bool {
        self.script_name.is_some() || self.language.is_some()
    }
}
