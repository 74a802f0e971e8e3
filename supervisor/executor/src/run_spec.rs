//! What a worker will be told to run.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::{Attempt, RunConfig, Secrets};
use muster_core::pool::Assignment;
use muster_protocol::{CodeSource, JsonBytes};
use uuid::Uuid;

use crate::descriptions::{DescribedWorkflow, TimeLimit};

/// One attempt, with everything its worker needs.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The attempt to run.
    pub attempt: Attempt,
    /// The time it has from Started, as the request or the workflow's row says.
    pub stated_timeout: Option<Duration>,
    /// The time it has when neither they nor the code say.
    pub default_timeout: Duration,
    /// The name of the workflow.
    pub workflow: String,
    /// Where the code comes from that is to run.
    pub source: CodeSource,
    /// The parameters, JSON text.
    pub params: JsonBytes,
    /// Who it runs for and what for, JSON text: see SPEC.md.
    pub context: JsonBytes,
    /// Whose state it reads and writes; `None` is the global one.
    pub organization_id: Option<Uuid>,
    /// The configuration that `config.get` is answered from.
    pub config: Arc<RunConfig>,
    /// The secret ones among its values: masked in logs, errors and transcripts.
    pub secrets: Arc<Secrets>,
    /// How many attempts a user failure may be charged, as the request or the row says.
    pub stated_attempts: Option<u32>,
    /// How many are charged, this one included.
    pub attempts_charged: u32,
    /// Nothing that waits is started once an execution has ended without success.
    pub failure_halts: bool,
}

impl RunSpec {
    /// What the pool must know of it, by what is known of the code.
    pub(super) fn assignment(&self, described: Option<&DescribedWorkflow>) -> Assignment {
        let timeout = time_limit(self.stated_timeout, described, self.default_timeout);
        let attempts = self.stated_attempts.or(described.and_then(|it| it.declared.retry.max_attempts));
        let is_last = attempts.is_none_or(|attempts| self.attempts_charged >= attempts);
        Assignment {
            attempt: self.attempt,
            organization_id: self.organization_id,
            timeout,
            halts: self.failure_halts && is_last,
        }
    }
}

/// The time a run has: what was stated, else what the code declares, else the default. `None` means no limit.
pub fn time_limit(
    stated: Option<Duration>,
    described: Option<&DescribedWorkflow>,
    default: Duration,
) -> Option<Duration> {
    match (stated, described.and_then(DescribedWorkflow::time_limit)) {
        (Some(stated), _) => Some(stated),
        (None, Some(TimeLimit::Within(declared))) => Some(declared),
        (None, Some(TimeLimit::Unlimited)) => None,
        (None, None) => Some(default),
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// An attempt of a workflow `w`.
    pub(crate) fn any_spec() -> RunSpec {
        RunSpec {
            attempt: Attempt::new(Uuid::nil(), 1),
            stated_timeout: None,
            default_timeout: Duration::MAX,
            workflow: "w".to_owned(),
            source: CodeSource::Named,
            params: JsonBytes::NONE,
            context: JsonBytes::NONE,
            organization_id: None,
            config: Arc::default(),
            secrets: Arc::default(),
            stated_attempts: None,
            attempts_charged: 1,
            failure_halts: false,
        }
    }
}
