//! A worker program: its workflows, and its command line.

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::Engines;
use crate::javascript::JavaScript;
use crate::sdk::{Context, NativeEngine, WorkflowError, WorkflowPolicy};

/// A worker. Add workflows, then call [`main`](Worker::main) from the program's `main`.
///
/// ```no_run
/// use muster_worker::{Context, Worker};
/// # #[derive(serde::Deserialize)] struct Greeting { name: String }
///
/// fn main() -> std::process::ExitCode {
///     Worker::new()
///         .workflow("greet", |params: Greeting, ctx: Context| async move {
///             ctx.log().info(format!("greeting {}", params.name));
///             Ok(format!("Hello, {}!", params.name))
///         })
///         .main()
/// }
/// ```
#[derive(Default)]
pub struct Worker {
    native: NativeEngine,
    javascript: bool,
}

impl Worker {
    /// Begins a worker that has no workflow yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an async workflow. It runs on a current-thread tokio runtime, and ends at its next `await` when
    /// the run is cancelled.
    #[must_use]
    pub fn workflow<P, R, F, Fut>(mut self, name: &str, function: F) -> Self
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Fut + 'static,
        Fut: Future<Output = Result<R, WorkflowError>> + 'static,
    {
        self.native.add_async(name, function);
        self
    }

    /// Adds a blocking workflow. It has to look at [`Context::check`] itself to end when it is cancelled.
    #[must_use]
    pub fn blocking<P, R, F>(mut self, name: &str, function: F) -> Self
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(P, Context) -> Result<R, WorkflowError> + 'static,
    {
        self.native.add_blocking(name, function);
        self
    }

    /// Declares what a workflow wants of the supervisor: its time limit, retries, the schema of its parameters.
    #[must_use]
    pub fn declare(mut self, name: &str, policy: WorkflowPolicy) -> Self {
        self.native.declare(name, policy);
        self
    }

    /// Runs JavaScript workflows too: files of the workflows folder and inline code.
    #[must_use]
    pub fn with_javascript(mut self) -> Self {
        self.javascript = true;
        self
    }

    /// Does what the command line and the environment say: serve a supervisor, run one execution, list.
    ///
    /// Call it first thing in `main`: it moves the standard streams and changes the environment.
    pub fn main(self) -> ExitCode {
        crate::command::main(self)
    }

    pub(crate) fn has_javascript(&self) -> bool {
        self.javascript
    }

    pub(crate) fn into_engines(mut self, conformance: bool) -> Engines {
        if conformance {
            crate::conformance::register(&mut self.native);
        }
        let mut engines = Engines::default();
        engines.add(Box::new(self.native));
        if self.javascript {
            engines.add(Box::new(JavaScript::default()));
        }
        engines
    }
}
