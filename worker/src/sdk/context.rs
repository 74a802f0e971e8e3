//! What a Rust workflow knows about its execution and can ask for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_protocol::{CallResult, JsonBytes, method, value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::WorkflowError;
use super::handles::{ConfigHandle, LogHandle, StateHandle};
use super::json;
use crate::run::{CancelRequest, RunContext, WorkerRun};

/// An execution, as its workflow sees it. Cheap to clone, and usable from every thread.
///
/// What waits is `async`. A blocking workflow waits with [`wait`](Self::wait) and [`pause`](Self::pause).
#[derive(Clone)]
pub struct Context {
    run: Arc<WorkerRun>,
}

impl Context {
    pub(crate) fn new(run: Arc<WorkerRun>) -> Self {
        Self { run }
    }

    /// The execution's id, a UUID.
    pub fn execution_id(&self) -> &str {
        &self.run.request.execution_id
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.run.request.attempt
    }

    /// The name of the workflow that runs.
    pub fn workflow(&self) -> &str {
        &self.run.request.workflow
    }

    /// Who and what the execution is for.
    pub fn about(&self) -> &RunContext {
        self.run.request.context()
    }

    /// `{id, name}` of the organization, or null.
    pub fn organization(&self) -> &Value {
        &self.about().organization
    }

    /// `{user_id, name, email}` of whoever asked for it, or null.
    pub fn caller(&self) -> &Value {
        &self.about().caller
    }

    /// What the starting form or trigger gave along, or null.
    pub fn startup(&self) -> &Value {
        &self.about().startup
    }

    /// The trace context of this run as W3C has it: pass it on to what the workflow calls.
    pub fn traceparent(&self) -> Option<&str> {
        self.about().traceparent.as_deref()
    }

    /// When the execution's time is over, if it has a limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.run.deadline()
    }

    /// The wish that this run should end, once there is one.
    pub fn cancel_request(&self) -> Option<&CancelRequest> {
        self.run.cancellation.get()
    }

    /// True once the run should end. Long computations look at this now and then.
    pub fn is_cancelled(&self) -> bool {
        self.cancel_request().is_some()
    }

    /// Fails once the run should end, so that `ctx.check()?` in a loop is all a computation needs.
    ///
    /// # Errors
    /// When the run was cancelled or its time is over.
    pub fn check(&self) -> Result<(), WorkflowError> {
        self.cancel_request().map_or(Ok(()), |request| Err(WorkflowError::cancelled(request)))
    }

    /// Resolves when the run should end.
    pub async fn cancelled(&self) -> &CancelRequest {
        self.run.cancellation.requested().await
    }

    /// The log of the execution, to write to.
    pub fn log(&self) -> LogHandle<'_> {
        LogHandle::new(&self.run)
    }

    /// Reports how far the execution is; `total` 0 means unknown.
    pub fn progress(&self, current: u64, total: u64, message: &str) {
        self.run.progress(current, total, message);
    }

    /// The configuration of the organization, to read from.
    pub fn config(&self) -> ConfigHandle<'_> {
        ConfigHandle::new(self)
    }

    /// The state that outlives executions.
    pub fn state(&self) -> StateHandle<'_> {
        StateHandle::new(self)
    }

    /// Submits another execution, which begins when this one has ended well or badly. Gives its id.
    ///
    /// # Errors
    /// When the supervisor refuses.
    pub async fn submit(&self, workflow: &str, params: &impl Serialize) -> Result<String, WorkflowError> {
        // A struct and no `Value`: what was given arrives as it was written.
        #[derive(Serialize)]
        struct SubmitCall<'a, P> {
            workflow: &'a str,
            params: &'a P,
        }
        let reply: Value = self.call(method::EXECUTION_SUBMIT, &SubmitCall { workflow, params }).await?;
        let id = reply.get("execution_id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| WorkflowError::new("InvalidReply", "the supervisor gave no execution_id"))
    }

    /// Waits so long, or fails when the run should end.
    ///
    /// # Errors
    /// When the run was cancelled or its time is over.
    pub async fn sleep(&self, duration: Duration) -> Result<(), WorkflowError> {
        tokio::select! {
            biased;
            request = self.cancelled() => Err(WorkflowError::cancelled(request)),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    /// [`sleep`](Self::sleep) for blocking workflows.
    ///
    /// # Errors
    /// When the run was cancelled or its time is over.
    pub fn pause(&self, duration: Duration) -> Result<(), WorkflowError> {
        self.run.cancellation.wait(duration);
        self.check()
    }

    /// Waits for one of this context's answers in a blocking workflow: `ctx.wait(ctx.state().get("n"))?`.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        super::native::block_on(future)
    }

    /// Asks the supervisor something this SDK has no name for.
    ///
    /// # Errors
    /// When the parameters cannot be kept, the supervisor refuses, or its answer is not what was expected.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, WorkflowError> {
        let written = json::write(params, "").map_err(|why| WorkflowError::not_written(method, why))?;
        let params = JsonBytes::from(written);
        value::check(&params.0, "").map_err(|unfit| WorkflowError::refused(method, &unfit))?;
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.run.set_activity(&format!("last asked: {method}"));
        // Whoever stopped waiting does not want the answer any more.
        self.run.call(method, params, move |result| drop(answer.send(result)));
        match answered.await {
            Ok(CallResult::Ok { value }) => Ok(value.parse()?),
            Ok(CallResult::Err { error }) => Err(WorkflowError::from_info(error)),
            Err(_) => Err(WorkflowError::new("SupervisorGone", "the question was dropped without an answer")),
        }
    }
}
