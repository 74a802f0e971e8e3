//! What was asked for: an Execute frame, or the same from a command line.

use std::sync::OnceLock;
use std::time::Duration;

use muster_protocol::{CodeSource, JsonBytes, ToWorker};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One execution to run.
#[derive(Debug)]
pub(crate) struct RunRequest {
    pub(crate) run: u32,
    pub(crate) execution_id: String,
    pub(crate) attempt: u32,
    pub(crate) workflow: String,
    pub(crate) source: CodeSource,
    pub(crate) params: JsonBytes,
    pub(crate) context_text: JsonBytes,
    pub(crate) timeout: Option<Duration>,
    pub(crate) context: OnceLock<RunContext>,
}

impl RunRequest {
    /// What an Execute asks for; any other message is given back.
    pub(crate) fn of(message: ToWorker) -> Result<Self, Box<ToWorker>> {
        match message {
            ToWorker::Execute {
                run,
                execution_id,
                attempt,
                workflow,
                source,
                params,
                context,
                timeout_ms,
                grace_ms: _,
            } => Ok(Self {
                run,
                execution_id,
                attempt,
                workflow,
                source,
                params,
                context_text: context,
                timeout: (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)),
                context: OnceLock::new(),
            }),
            other @ (ToWorker::Welcome { .. }
            | ToWorker::Cancel { .. }
            | ToWorker::Reply { .. }
            | ToWorker::Ping { .. }
            | ToWorker::Drain { .. }
            | ToWorker::Dump { .. }
            | ToWorker::Fork { .. }) => Err(Box::new(other)),
        }
    }

    /// The parsed context. Parsing waits until somebody asks, because most workflows never do.
    pub(crate) fn context(&self) -> &RunContext {
        self.context.get_or_init(|| {
            self.context_text.parse::<Option<RunContext>>().ok().flatten().unwrap_or_default()
        })
    }
}

/// Who and what an execution is for, as the supervisor tells it. A part that was not given is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunContext {
    /// `{id, name}` of the organization, or null.
    pub organization: Value,
    /// `{id, name}` of the workflow, or null.
    pub workflow: Value,
    /// `{user_id, name, email}` of whoever asked for it, or null.
    pub caller: Value,
    /// What the starting form or trigger gave along.
    pub startup: Value,
    /// The trace context of the run as W3C has it, for what the workflow calls.
    pub traceparent: Option<String>,
    /// The merged configuration the run may see.
    pub config: Value,
}
