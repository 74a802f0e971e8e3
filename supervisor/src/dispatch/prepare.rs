//! Prewarming before routing: a claimed row becomes what a worker is told.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::Bus;
use muster_core::execution::{Attempt, ExecutionRequest, Target};
use muster_protocol::{JsonBytes, error_type};
use muster_store::{DefinitionStore, ExecutionFailure, NewExecution};
use serde_json::value::RawValue;

use super::dispatcher::{Prepare, PrepareError, PreparedAttempt};
use super::in_flight::OutcomeTerms;
use crate::descriptions::{DescribedWorkflow, Descriptions, WHOLE_LOOK_ENTRIES};
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
    /// The time a run has when nobody else says.
    default_timeout: RwLock<Duration>,
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
        let default_timeout = RwLock::new(default_timeout);
        Arc::new(Self { prewarm, bus, default_timeout, descriptions, trace_ratio })
    }

    /// Refuses parameters that the code does not take, where that is known: with an unknown workflow, a database that
    /// is away, or code that may have changed since it was described, it is found out later.
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
        let problems = self.problems(&described, &request.parameters).await;
        if problems.is_empty() { Ok(()) } else { Err(RefusedParameters { workflow, problems }) }
    }

    /// What the code does not take is refused before a worker is asked.
    async fn check(
        &self,
        described: &Arc<DescribedWorkflow>,
        params: &JsonBytes,
    ) -> Result<(), PrepareError> {
        // What is no JSON was refused where it came in.
        let Ok(parameters) = params.parse::<&RawValue>() else { return Ok(()) };
        let problems = self.problems(described, parameters).await;
        if problems.is_empty() {
            return Ok(());
        }
        let failure = ExecutionFailure::new(error_type::INVALID_PARAMETERS, problems.join("; "));
        Err(PrepareError::Refused(failure))
    }

    /// All that is wrong with parameters by what the code declares. Nothing where that may have changed since: the worker that
    /// loads it again, and describes it again, may take them by now.
    async fn problems(&self, described: &Arc<DescribedWorkflow>, parameters: &RawValue) -> Vec<String> {
        let problems = described.problems(parameters);
        if problems.is_empty() {
            return problems;
        }
        let (descriptions, described) = (Arc::clone(&self.descriptions), Arc::clone(described));
        let looking =
            tokio::task::spawn_blocking(move || descriptions.may_be_stale(&described, WHOLE_LOOK_ENTRIES));
        if looking.await.unwrap_or_default() { Vec::new() } else { problems }
    }

    /// What fetches, to be told of changes.
    pub fn prewarm(&self) -> Arc<Prewarm> {
        Arc::clone(&self.prewarm)
    }

    /// For runs that are prepared from now on.
    pub fn set_default_timeout(&self, timeout: Duration) {
        *self.default_timeout.write().unwrap_or_else(PoisonError::into_inner) = timeout;
    }

    fn default_timeout(&self) -> Duration {
        *self.default_timeout.read().unwrap_or_else(PoisonError::into_inner)
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
        let default_timeout = self.default_timeout();
        let ready = prepare(request, &warm).map_err(refusal)?;
        let described = self.descriptions.of(&ready.workflow, &ready.source);
        if let Some(described) = &described {
            self.check(described, &ready.params).await?;
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

fn refusal(error: PrewarmError) -> PrepareError {
    match error {
        PrewarmError::Unavailable(message) => PrepareError::Unavailable(message),
        PrewarmError::Refused(failure) => PrepareError::Refused(failure),
    }
}
