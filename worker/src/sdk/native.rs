//! The engine of workflows that are registered in Rust.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Once};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use muster_protocol::{CodeSource, ErrorInfo, JsonBytes, RunOutcome, WorkflowDescription, error_type, value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::context::Context;
use super::error::WorkflowError;
use super::json;
use super::policy::WorkflowPolicy;
use crate::engine::{Engine, Init, Listed};
use crate::run::{Downlink, WorkerRun};

type CallReply = Result<JsonBytes, WorkflowError>;
type WorkflowFuture = Pin<Box<dyn Future<Output = CallReply>>>;

type CallFuture<T> = Box<dyn Fn(&JsonBytes, Context) -> Result<T, WorkflowError>>;

enum Workflow {
    Blocking(CallFuture<JsonBytes>),
    Async(CallFuture<WorkflowFuture>),
}

/// The registered workflows.
#[derive(Default)]
pub(crate) struct NativeEngine {
    workflows: BTreeMap<String, Workflow>,
    duplicate: Option<String>,
    policies: BTreeMap<String, WorkflowPolicy>,
    runtime: Option<Runtime>,
}

impl NativeEngine {
    pub(crate) fn add_blocking<P, R, F>(&mut self, name: &str, function: F)
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Result<R, WorkflowError> + 'static,
    {
        let run = move |params: &JsonBytes, context| encode(&function(decode(params)?, context)?);
        self.add(name, Workflow::Blocking(Box::new(run)));
    }

    pub(crate) fn add_async<P, R, F, Fut>(&mut self, name: &str, function: F)
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Fut + 'static,
        Fut: Future<Output = Result<R, WorkflowError>> + 'static,
    {
        let run = move |params: &JsonBytes, context| -> Result<WorkflowFuture, WorkflowError> {
            let future = function(decode(params)?, context);
            Ok(Box::pin(async move { encode(&future.await?) }))
        };
        self.add(name, Workflow::Async(Box::new(run)));
    }

    pub(crate) fn declare(&mut self, name: &str, policy: WorkflowPolicy) {
        self.policies.insert(name.to_owned(), policy);
    }

    fn add(&mut self, name: &str, workflow: Workflow) {
        if self.workflows.insert(name.to_owned(), workflow).is_some() {
            self.duplicate = Some(name.to_owned());
        }
    }
}

impl Engine for NativeEngine {
    fn language(&self) -> Option<&'static str> {
        None
    }

    fn init(&mut self, _init: &Init) -> Result<(), ErrorInfo> {
        remember_panics();
        super::trace::install();
        if let Some(name) = self.policies.keys().find(|name| !self.workflows.contains_key(*name)) {
            let message = format!("a policy is declared for {name:?}, and no workflow is registered as that");
            return Err(ErrorInfo::new("UnknownWorkflow", message));
        }
        self.duplicate.as_ref().map_or(Ok(()), |name| {
            Err(ErrorInfo::new("DuplicateWorkflow", format!("two workflows are registered as {name:?}")))
        })
    }

    fn list(&self) -> Vec<Listed> {
        let listed = |name: &String| Listed { name: name.clone(), origin: "built in".to_owned() };
        self.workflows.keys().map(listed).collect()
    }

    fn describe(&mut self) -> Vec<WorkflowDescription> {
        let nothing = WorkflowPolicy::new();
        let policy = |name: &String| self.policies.get(name).unwrap_or(&nothing);
        self.workflows.keys().map(|name| policy(name).describe(name, "")).collect()
    }

    fn run(&mut self, run: &Arc<WorkerRun>, line: &Rc<dyn Downlink>) -> Option<RunOutcome> {
        if !matches!(run.request.source, CodeSource::Named) {
            return None;
        }
        let workflow = self.workflows.get(&run.request.workflow)?;
        let context = Context::new(Arc::clone(run));
        let params = &run.request.params;
        super::trace::enter(run);
        run.start();
        let mut answer = Ok(JsonBytes::NONE);
        let runtime = &mut self.runtime;
        line.lend(run, &mut || {
            let context = context.clone();
            let caught = catch_unwind(AssertUnwindSafe(|| match workflow {
                Workflow::Blocking(function) => function(params, context),
                Workflow::Async(function) => drive(runtime, run, || function(params, context)),
            }));
            answer = caught.unwrap_or_else(|_| Err(take_panic()));
        });
        Some(match answer {
            Ok(result) => RunOutcome::Succeeded { result },
            Err(error) => RunOutcome::Failed { error: error.into() },
        })
    }
}

/// Runs an async workflow to its end, or until it had its time to react to a cancel.
fn drive(
    slot: &mut Option<Runtime>,
    run: &WorkerRun,
    begin: impl FnOnce() -> Result<WorkflowFuture, WorkflowError>,
) -> CallReply {
    let runtime = match slot.take() {
        Some(runtime) => runtime,
        None => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    let answer = runtime.block_on(async {
        let task = begin()?;
        tokio::select! {
            biased;
            answer = task => answer,
            request = end_of_cleaning_up(run) => Err(WorkflowError::cancelled(request)),
        }
    });
    // Tasks the workflow left behind must not run on in the next execution.
    if runtime.metrics().num_alive_tasks() == 0 {
        *slot = Some(runtime);
    } else {
        runtime.shutdown_background();
    }
    answer
}

async fn end_of_cleaning_up(run: &WorkerRun) -> &crate::run::CancelRequest {
    let request = run.cancellation.requested().await;
    tokio::time::sleep(request.stop_at().saturating_duration_since(Instant::now())).await;
    request
}

/// Parameters that were not given fit where null fits, and where an empty object does.
fn decode<P: DeserializeOwned>(params: &JsonBytes) -> Result<P, WorkflowError> {
    let decoded = match params.parse() {
        Err(_) if params.is_none() => serde_json::from_slice(b"{}"),
        parsed => parsed,
    };
    decoded.map_err(|error| {
        WorkflowError::new("InvalidParameters", format!("the parameters do not fit: {error}"))
    })
}

fn encode<R: Serialize>(result: &R) -> CallReply {
    let json = json::write(result, "result").map_err(|why| refused(&why))?;
    value::check(&json, "result").map_err(|unfit| refused(&unfit))?;
    Ok(JsonBytes::from(json))
}

fn refused(why: &dyn std::fmt::Display) -> WorkflowError {
    WorkflowError::new(error_type::INVALID_RESULT, format!("the result is refused: {why}")).retryable(false)
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps where a panic happened, beside what the hook before this one does.
fn remember_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LAST_PANIC.set(Some(info.to_string()));
            before(info);
        }));
    });
}

fn take_panic() -> WorkflowError {
    let text = LAST_PANIC.take().unwrap_or_else(|| "the workflow panicked".to_owned());
    let (place, message) = text.split_once('\n').unwrap_or(("", &text));
    let mut info = ErrorInfo::new("Panic", message);
    place.trim_end_matches(':').clone_into(&mut info.stack);
    WorkflowError::from_info(info)
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future that needs no runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
