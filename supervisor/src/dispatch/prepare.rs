//! Prewarming before routing: a claimed row becomes what a worker is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::Bus;
use muster_core::execution::Attempt;
use muster_protocol::error_type;
use muster_store::{DefinitionStore, ExecutionFailure, NewExecution};

use super::dispatcher::{Prepare, PrepareError, PreparedAttempt};
use super::in_flight::OutcomeTerms;
use crate::executor::RunSpec;
use crate::prewarm::{Prewarm, PrewarmError, Subject, prepare};

/// Fetches what a run needs, shows its context to watchers, and writes what its worker is told.
#[derive(Debug)]
pub struct Preparer {
    prewarm: Prewarm,
    bus: Bus,
    default_timeout_us: AtomicU64,
}

impl Preparer {
    /// Fetches from this store, and shares through this bus.
    pub fn new(store: Arc<dyn DefinitionStore>, bus: Bus, default_timeout: Duration) -> Arc<Self> {
        let preparer =
            Self { prewarm: Prewarm::new(store, bus.clone()), bus, default_timeout_us: AtomicU64::new(0) };
        preparer.set_default_timeout(default_timeout);
        Arc::new(preparer)
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
        let request = execution.read_request().map_err(|error| {
            PrepareError::Refused(ExecutionFailure::new(error_type::INVALID_REQUEST, error.to_string()))
        })?;
        let subject = Subject::from(&request.target);
        let warm = self.prewarm.prewarm_sdk_cache(subject, request.organization_id).await.map_err(refusal)?;
        let default_timeout = Duration::from_micros(self.default_timeout_us.load(Ordering::Relaxed));
        let ready = prepare(request, &warm, default_timeout).map_err(refusal)?;
        self.bus.put_context(attempt.execution_id, ready.shown_context, ready.timeout);
        let terms = OutcomeTerms {
            user_attempts: ready.user_attempts,
            backoff: ready.retry_backoff,
            sync: ready.sync,
            timeout: Some(ready.timeout),
        };
        let spec = RunSpec {
            attempt,
            timeout: Some(ready.timeout),
            workflow: ready.workflow,
            source: ready.source,
            params: ready.params,
            context: ready.context,
            organization_id: ready.organization_id,
            config: ready.config,
            secrets: ready.secrets,
            halts: false,
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
