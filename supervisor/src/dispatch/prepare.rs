//! Prewarming before routing: a claimed row becomes what a worker is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::Bus;
use muster_core::execution::{Attempt, ExecutionRequest, Target};
use muster_protocol::{JsonBytes, error_type};
use muster_store::{DefinitionStore, ExecutionFailure, NewExecution};
use serde_json::value::RawValue;

use super::dispatcher::{Prepare, PrepareError, PreparedAttempt};
use super::in_flight::OutcomeTerms;
use crate::descriptions::{DescribedWorkflow, Descriptions};
use crate::executor::{RunSpec, time_limit};
use crate::prewarm::{Prewarm, PrewarmError, Subject, prepare, resolve};
use crate::traces::traceparent_of_run;

/// Parameters that the code does not take.
#[derive(Debug)]
pub struct RefusedParameters {
    /// The workflow whose code was asked.
    pub workflow: String,
    /// All that is wrong with them, a sentence each.
    pub problems: Vec<String>,
}

/// Fetches what a run needs, shows its context to watchers, and writes what its worker is told.
#[derive(Debug)]
pub struct Preparer {
    prewarm: Arc<Prewarm>,
    bus: Bus,
    default_timeout_us: AtomicU64,
    descriptions: Arc<Descriptions>,
    /// Executions are traced, of those that nobody decided about this part.
    trace_ratio: Option<f64>,
}

impl Preparer {
    /// Fetches from this store, and shares through this bus. With a ratio workers are told the span of their run.
    pub fn new(
        store: Arc<dyn DefinitionStore>,
        bus: Bus,
        default_timeout: Duration,
        descriptions: Arc<Descriptions>,
        trace_ratio: Option<f64>,
    ) -> Arc<Self> {
        let prewarm = Arc::new(Prewarm::new(store, bus.clone()));
        let default_timeout_us = AtomicU64::new(0);
        let preparer = Self { prewarm, bus, default_timeout_us, descriptions, trace_ratio };
        preparer.set_default_timeout(default_timeout);
        Arc::new(preparer)
    }

    /// Refuses parameters that the code does not take, where that is known: with an unknown workflow, or a database that
    /// is away, it is found out later.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub async fn check_parameters(&self, request: &ExecutionRequest) -> Result<(), RefusedParameters> {
        match &request.target {
            Target::Name { workflow } if self.descriptions.named(workflow).is_none() => return Ok(()),
            Target::Name { .. } | Target::Id { .. } => {}
            Target::Code { .. } => return Ok(()),
        }
        let subject = Subject::from(&request.target);
        let Ok(warm) = self.prewarm.prewarm_sdk_cache(subject, request.organization_id).await else {
            return Ok(());
        };
        let (workflow, source) = resolve(request.target.clone(), warm.workflow.as_ref());
        let Some(described) = self.descriptions.of(&workflow, &source) else { return Ok(()) };
        match described.problems(&request.parameters) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(RefusedParameters { workflow, problems }),
        }
    }

    /// What fetches, to be told of changes.
    pub fn prewarm(&self) -> Arc<Prewarm> {
        Arc::clone(&self.prewarm)
    }

    /// For runs that are prepared from now on.
    pub fn set_default_timeout(&self, timeout: Duration) {
        let timeout_us = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        self.default_timeout_us.store(timeout_us, Ordering::Relaxed);
    }
}

#[async_trait]
impl Prepare for Preparer {
    async fn prepare(
        &self,
        attempt: Attempt,
        execution: &NewExecution,
    ) -> Result<PreparedAttempt, PrepareError> {
        let mut request = execution.read_request().map_err(|error| {
            PrepareError::Refused(ExecutionFailure::new(error_type::INVALID_REQUEST, error.to_string()))
        })?;
        if let Some(ratio) = self.trace_ratio {
            let given = request.traceparent.as_deref();
            request.traceparent = Some(traceparent_of_run(attempt, given, ratio));
        }
        let traceparent = request.traceparent.clone();
        let subject = Subject::from(&request.target);
        let warm = self.prewarm.prewarm_sdk_cache(subject, request.organization_id).await.map_err(refusal)?;
        let default_timeout = Duration::from_micros(self.default_timeout_us.load(Ordering::Relaxed));
        let ready = prepare(request, &warm).map_err(refusal)?;
        let described = self.descriptions.of(&ready.workflow, &ready.source);
        if let Some(described) = &described {
            check(described, &ready.params)?;
        }
        let timeout = time_limit(ready.timeout, described.as_deref(), default_timeout);
        self.bus.put_context(attempt.execution_id, ready.shown_context, timeout.unwrap_or(default_timeout));
        let terms = OutcomeTerms {
            retry: ready.retry,
            sync: ready.sync,
            timeout: Some(timeout.unwrap_or(default_timeout)),
            traceparent,
        };
        let spec = RunSpec {
            attempt,
            stated_timeout: ready.timeout,
            default_timeout,
            workflow: ready.workflow,
            source: ready.source,
            params: ready.params,
            context: ready.context,
            organization_id: ready.organization_id,
            config: ready.config,
            secrets: ready.secrets,
            stated_attempts: terms.retry.max_attempts,
            attempts_charged: 0,
            failure_halts: false,
        };
        Ok(PreparedAttempt { spec, terms })
    }
}

/// What the code does not take is refused before a worker is asked.
fn check(described: &DescribedWorkflow, params: &JsonBytes) -> Result<(), PrepareError> {
    // What is no JSON was refused where it came in.
    let Ok(parameters) = params.parse::<&RawValue>() else { return Ok(()) };
    described.check(parameters).map_err(|problems| {
        PrepareError::Refused(ExecutionFailure::new(error_type::INVALID_PARAMETERS, problems))
    })
}

fn refusal(error: PrewarmError) -> PrepareError {
    match error {
        PrewarmError::Unavailable(message) => PrepareError::Unavailable(message),
        PrewarmError::Refused(failure) => PrepareError::Refused(failure),
    }
}
