//! One workflow as its code describes it, with its schema read.

use std::time::{Duration, SystemTime};

use muster_core::json::Schema;
use muster_protocol::WorkflowDescription;
use muster_protocol::limits::{DECLARED_LIMITS_MAX, IDENTIFIER_MAX_BYTES, SCHEMA_MAX_BYTES};

/// How long runs of a workflow may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// A run may take as long as it likes.
    Unlimited,
    /// A run may take this long from its Started.
    Within(Duration),
}

/// A workflow that a worker described.
#[derive(Debug)]
pub struct DescribedWorkflow {
    /// The description, as the worker sent it.
    pub declared: WorkflowDescription,
    /// What parameters it takes, where that was said and can be read.
    pub schema: Option<Schema>,
    /// When it was described, by the clock that files have.
    pub described_at: SystemTime,
}

impl DescribedWorkflow {
    /// Reads a description, and what of it makes no sense. Without a name it is none.
    pub(super) fn read(mut declared: WorkflowDescription) -> (Option<Self>, Vec<String>) {
        if declared.name.is_empty() || declared.name.len() > IDENTIFIER_MAX_BYTES {
            let problem =
                format!("a description has a name of 1 to {IDENTIFIER_MAX_BYTES} bytes, and it is left out");
            return (None, vec![problem]);
        }
        let mut problems = Vec::new();
        let mut wrong = |what: String| problems.push(format!("{}: {what}", declared.name));
        if declared.limits.len() > DECLARED_LIMITS_MAX {
            wrong(format!("of its limits only the first {DECLARED_LIMITS_MAX} count"));
            declared.limits.truncate(DECLARED_LIMITS_MAX);
        }
        if declared.retry.max_attempts == Some(0) {
            wrong("an execution has at least one attempt: max_attempts = 0 does not count".to_owned());
            declared.retry.max_attempts = None;
        }
        let schema = match Self::schema(&declared) {
            Ok(schema) => schema,
            Err(problem) => {
                wrong(format!("its parameters are not checked: {problem}"));
                None
            }
        };
        (Some(Self { declared, schema, described_at: SystemTime::now() }), problems)
    }

    fn schema(declared: &WorkflowDescription) -> Result<Option<Schema>, String> {
        let text = &declared.parameters.0;
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > SCHEMA_MAX_BYTES {
            return Err(format!(
                "a schema has at most {SCHEMA_MAX_BYTES} bytes, this one has {}",
                text.len()
            ));
        }
        Schema::read(text).map(Some).map_err(|error| format!("its schema cannot be read: {error}"))
    }

    /// How long its runs may take, if that is declared.
    pub fn time_limit(&self) -> Option<TimeLimit> {
        Some(match self.declared.timeout_ms? {
            0 => TimeLimit::Unlimited,
            timeout_ms => TimeLimit::Within(Duration::from_millis(timeout_ms)),
        })
    }

    /// How much is kept of it.
    pub(super) fn size_bytes(&self) -> usize {
        let WorkflowDescription {
            name,
            description,
            source_file,
            retry,
            concurrency,
            limits,
            queue,
            parameters,
            more,
            ..
        } = &self.declared;
        let lists = [&retry.retry_on, &retry.give_up_on, limits];
        let listed: usize = lists.into_iter().flatten().map(String::len).sum();
        let texts = [name, description, source_file, &concurrency.key, &concurrency.on_full, queue];
        let said: usize = texts.into_iter().map(String::len).sum();
        size_of::<Self>() + listed + said + parameters.0.len() + more.0.len()
    }
}
