//! What a worker is told of a claimed execution.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_core::execution::{ExecutionRequest, RetryOptions, RunConfig, Secrets, Target};
use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::{CodeSource, JsonBytes, error_type};
use muster_store::WorkflowRecord;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{PrewarmError, ResolvedWorkflow};

/// What an Execute frame holds besides names, parameters, code and context.
const FRAME_OVERHEAD_BYTES: usize = 1024;

/// A claimed execution, ready to be routed.
#[derive(Clone, Debug)]
pub struct PreparedExecution {
    /// The name of the workflow.
    pub workflow: String,
    /// Where the code comes from that is to run.
    pub source: CodeSource,
    /// The parameters, JSON text.
    pub params: JsonBytes,
    /// Who and what for, secrets included: for the worker only.
    pub context: JsonBytes,
    /// The same without secrets: for `context:{id}`.
    pub shown_context: Bytes,
    /// Whose state and configuration it is; `None` is the global one.
    pub organization_id: Option<Uuid>,
    /// The configuration that `config.get` is answered from.
    pub config: Arc<RunConfig>,
    /// The secret ones among its values.
    pub secrets: Arc<Secrets>,
    /// The time it has from Started, if the request or the workflow says.
    pub timeout: Option<Duration>,
    /// What the request and the workflow's row say of further attempts.
    pub retry: RetryOptions,
    /// True when somebody waits for the reply.
    pub sync: bool,
}

/// The context of a run, as the protocol has it.
#[derive(Serialize)]
struct ContextView<'a> {
    organization: Option<NamedView<'a>>,
    workflow: WorkflowNamed<'a>,
    caller: Option<&'a RawValue>,
    startup: Option<&'a RawValue>,
    form_id: Option<&'a str>,
    api_key_id: Option<&'a str>,
    traceparent: Option<&'a str>,
    config: &'a RawValue,
}

#[derive(Serialize)]
struct NamedView<'a> {
    id: Uuid,
    name: &'a str,
}

#[derive(Serialize)]
struct WorkflowNamed<'a> {
    id: Option<Uuid>,
    name: &'a str,
}

/// Makes of a request and what was fetched for it what the worker is told.
///
/// # Errors
/// When it does not fit in a frame: then it is refused as `InvalidRequest`.
pub fn prepare(
    request: ExecutionRequest,
    warm: &ResolvedWorkflow,
) -> Result<PreparedExecution, PrewarmError> {
    let workflow = name(&request.target, warm.workflow.as_ref());
    let context = context(&request, warm, &workflow, &warm.config_json);
    let shown_context = match &warm.shown_config_json {
        Some(shown) => Bytes::from(self::context(&request, warm, &workflow, shown)),
        None => Bytes::copy_from_slice(&context),
    };
    let timeout = request
        .timeout_seconds
        .or(warm.workflow.as_ref().and_then(|workflow| workflow.timeout_seconds))
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let of_the_row = warm.workflow.as_ref().map(WorkflowRecord::retry_options).unwrap_or_default();
    let retry = request.retry_options().or(of_the_row);
    let prepared = PreparedExecution {
        source: source(request.target, warm.workflow.as_ref()),
        workflow,
        params: JsonBytes::from(String::from(Box::<str>::from(request.parameters))),
        context: JsonBytes::from(context),
        shown_context,
        organization_id: warm.organization.as_ref().map(|organization| organization.id),
        config: Arc::clone(&warm.config),
        secrets: Arc::clone(&warm.secrets),
        timeout,
        retry,
        sync: request.sync,
    };
    prepared.check_size()
}

/// The name and the code of what will be run.
pub fn resolve(target: Target, workflow: Option<&WorkflowRecord>) -> (String, CodeSource) {
    (name(&target, workflow), source(target, workflow))
}

impl PreparedExecution {
    fn check_size(self) -> Result<Self, PrewarmError> {
        let source = match &self.source {
            CodeSource::Named => 0,
            CodeSource::Path { path, function } => path.len() + function.len(),
            CodeSource::Inline { language, code } => language.len() + code.0.len(),
        };
        let payload = self.params.0.len() + self.context.0.len() + self.workflow.len() + source;
        if payload + FRAME_OVERHEAD_BYTES <= FRAME_MAX_BYTES {
            return Ok(self);
        }
        let message = format!(
            "invalid request: parameters, code and context are {payload} bytes together; at most {} fit in a \
             frame, so pass large data by reference (a URL or a path)",
            FRAME_MAX_BYTES - FRAME_OVERHEAD_BYTES
        );
        Err(PrewarmError::refused(error_type::INVALID_REQUEST, message))
    }
}

fn name(target: &Target, workflow: Option<&WorkflowRecord>) -> String {
    workflow.map_or_else(|| target.label(), |workflow| workflow.name.clone())
}

fn source(target: Target, workflow: Option<&WorkflowRecord>) -> CodeSource {
    match (target, workflow) {
        (Target::Code { code, language, .. }, _) => CodeSource::Inline { language, code: code.into() },
        (
            Target::Id { .. } | Target::Name { .. },
            Some(WorkflowRecord { path: Some(path), function_name, .. }),
        ) => CodeSource::Path { path: path.clone(), function: function_name.clone().unwrap_or_default() },
        (Target::Id { .. } | Target::Name { .. }, _) => CodeSource::Named,
    }
}

fn context(
    request: &ExecutionRequest,
    warm: &ResolvedWorkflow,
    workflow: &str,
    config: &RawValue,
) -> Vec<u8> {
    let context = ContextView {
        organization: warm.organization.as_ref().map(|it| NamedView { id: it.id, name: &it.name }),
        workflow: WorkflowNamed { id: warm.workflow.as_ref().map(|it| it.id), name: workflow },
        caller: request.caller.as_deref(),
        startup: request.startup.as_deref(),
        form_id: request.form_id.as_deref(),
        api_key_id: request.api_key_id.as_deref(),
        traceparent: request.traceparent.as_deref(),
        config,
    };
    // Strings, ids and raw JSON: there is no way to fail.
    serde_json::to_vec(&context).unwrap_or_default()
}
