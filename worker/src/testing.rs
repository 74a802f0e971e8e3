//! Workflows in unit tests: run one as a worker would, with what it asks for given and what it says recorded.
//!
//! ```
//! use muster_worker::testing::TestContext;
//! use muster_worker::{Context, WorkflowError};
//! use serde_json::{Value, json};
//!
//! async fn visit(params: Value, ctx: Context) -> Result<u64, WorkflowError> {
//!     let name = params["name"].as_str().unwrap_or("nobody");
//!     let visits = ctx.state().get::<u64>(name).await?.unwrap_or(0) + 1;
//!     ctx.state().set(name, &visits).await?;
//!     ctx.log().info(format!("{name} came by"));
//!     Ok(visits)
//! }
//!
//! let test = TestContext::new().config("region", "eu").state("Ada", 4);
//! assert_eq!(test.run(visit, &json!({ "name": "Ada" })).unwrap(), 5);
//! assert_eq!(test.states()["Ada"], 5);
//! assert_eq!(test.logs()[0].message, "Ada came by");
//! ```
//!
//! [`TestContext::context`] is for code that takes a [`Context`] and is called directly.

mod desk;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use muster_protocol::{CancelReason, CodeSource, JsonBytes, RunOutcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::command::TerminalLine;
use crate::engine::Engine as _;
use crate::run::{Downlink, RunRequest, Uplink, Waker, WorkerRun};
use crate::sdk::{Context, NativeEngine, WorkflowError, write_json};
pub use desk::{AskedCall, LoggedRecord, ReportedProgress, SubmittedExecution};
use desk::{GivenAnswer, TestDesk};

/// What a workflow under test is given, and what it did. One may run several: state goes on from one to the next.
#[derive(Default)]
pub struct TestContext {
    config: Map<String, Value>,
    about: Map<String, Value>,
    timeout: Option<Duration>,
    desk: Arc<TestDesk>,
    run: OnceLock<Arc<WorkerRun>>,
}

impl TestContext {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An entry of the configuration.
    #[must_use]
    pub fn config(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config.insert(key.to_owned(), value.into());
        self
    }

    /// An entry of the state, as an earlier execution left it.
    #[must_use]
    pub fn state(self, key: &str, value: impl Into<Value>) -> Self {
        self.desk.keep(key, value.into());
        self
    }

    /// A part of what [`Context::about`] tells: `caller`, `organization`, `startup`, `traceparent`.
    #[must_use]
    pub fn about(mut self, part: &str, value: impl Into<Value>) -> Self {
        self.about.insert(part.to_owned(), value.into());
        self
    }

    /// The time the workflow has.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Answers a method in the supervisor's place: `state.get`, say, with an error.
    #[must_use]
    pub fn answer(
        self,
        method: &str,
        answer: impl Fn(&Value) -> Result<Value, WorkflowError> + Send + Sync + 'static,
    ) -> Self {
        let answer: GivenAnswer = Box::new(answer);
        self.desk.answer_with(method, answer);
        self
    }

    /// Runs an async workflow to its end, with parameters and result written and read as they would be on their way.
    ///
    /// # Errors
    /// What the workflow fails with; `InvalidParameters` and `InvalidResult` as in a worker; `Cancelled`.
    ///
    /// # Panics
    /// When an [`answer`](Self::answer) was given to a method that there is not, and nothing called it.
    pub fn run<P, R, F, Fut>(&self, workflow: F, params: &impl Serialize) -> Result<Value, WorkflowError>
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Fut + 'static,
        Fut: Future<Output = Result<R, WorkflowError>> + 'static,
    {
        let mut native = NativeEngine::default();
        native.add_async(WORKFLOW, workflow);
        self.perform(native, params)
    }

    /// Runs a blocking workflow to its end, likewise.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_blocking<P, R, F>(&self, workflow: F, params: &impl Serialize) -> Result<Value, WorkflowError>
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Result<R, WorkflowError> + 'static,
    {
        let mut native = NativeEngine::default();
        native.add_blocking(WORKFLOW, workflow);
        self.perform(native, params)
    }

    /// A context for code that is called directly: always of the same execution.
    pub fn context(&self) -> Context {
        Context::new(Arc::clone(self.lasting_run()))
    }

    /// Asks the execution of [`context`](Self::context) to end.
    pub fn cancel(&self, message: &str) {
        self.lasting_run().cancellation.request(CancelReason::User, message, CANCEL_GRACE);
    }

    /// The state as it is now.
    pub fn states(&self) -> BTreeMap<String, Value> {
        self.desk.states()
    }

    /// What was logged. Events of `tracing` are among it in a process that runs one test at a time and has no
    /// subscriber of its own.
    pub fn logs(&self) -> Vec<LoggedRecord> {
        self.desk.logs()
    }

    /// Every progress, where a supervisor keeps the latest.
    pub fn progresses(&self) -> Vec<ReportedProgress> {
        self.desk.progresses()
    }

    /// Every question to the supervisor. One for a configuration entry that was given is none.
    pub fn calls(&self) -> Vec<AskedCall> {
        self.desk.calls()
    }

    /// The executions that were submitted.
    pub fn submitted(&self) -> Vec<SubmittedExecution> {
        self.desk.submitted()
    }

    fn lasting_run(&self) -> &Arc<WorkerRun> {
        self.run.get_or_init(|| {
            let run = self.new_run(JsonBytes::NONE);
            run.start();
            run
        })
    }

    fn perform(&self, mut native: NativeEngine, params: &impl Serialize) -> Result<Value, WorkflowError> {
        native.init(&crate::engine::Init::default()).map_err(WorkflowError::from_info)?;
        let params = write_json(params, "params").map_err(|why| {
            WorkflowError::new("InvalidParameters", format!("the parameters are refused: {why}"))
        })?;
        let run = self.new_run(JsonBytes::from(params));
        let line: Rc<dyn Downlink> = Rc::new(TerminalLine { waker: Arc::new(Waker::new()?) });
        let outcome = native.run(&run, &line).map(|outcome| run.conclude(outcome));
        // An error would be taken for the workflow's by a test that expects one.
        let stray = self.desk.stray_answer();
        assert!(stray.is_none(), "{}", stray.unwrap_or_default());
        match outcome {
            Some(RunOutcome::Succeeded { result }) => Ok(result.parse()?),
            Some(RunOutcome::Failed { error }) => Err(WorkflowError::from_info(error)),
            Some(RunOutcome::Cancelled { message }) => Err(WorkflowError::new("Cancelled", message)),
            Some(RunOutcome::Rejected { reason }) => Err(WorkflowError::new("Rejected", reason)),
            None => Err(WorkflowError::new("Rejected", "the workflow is not there")),
        }
    }

    fn new_run(&self, params: JsonBytes) -> Arc<WorkerRun> {
        let mut context = self.about.clone();
        context.insert("config".to_owned(), Value::Object(self.config.clone()));
        let request = RunRequest {
            run: 1,
            execution_id: "00000000-0000-0000-0000-000000000000".to_owned(),
            attempt: 1,
            workflow: WORKFLOW.to_owned(),
            source: CodeSource::Named,
            params,
            context_text: JsonBytes::of(&json!(context)),
            timeout: self.timeout,
            context: OnceLock::new(),
        };
        WorkerRun::new(request, Arc::clone(&self.desk) as Arc<dyn Uplink>)
    }
}

/// What a cancelled execution has for cleaning up.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
/// The name under which a workflow under test runs.
const WORKFLOW: &str = "test";
