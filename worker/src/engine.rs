//! What can run an execution: the registry of native workflows, the JavaScript interpreter.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use muster_protocol::{CodeSource, ErrorInfo, RunOutcome, WorkflowDescription};
use serde::Deserialize;

use crate::run::{Downlink, WorkerRun};

/// What Welcome or the command line settled before user code is loaded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Init {
    /// Where workflow files are; absolute. None means the worker has no files.
    pub(crate) workflows_dir: Option<PathBuf>,
    /// What an interpreter may use; 0 or none means no limit.
    pub(crate) memory_limit_mb: Option<u64>,
    /// Where the supervisor's API listens, which no workflow may go to.
    pub(crate) api_address: Option<SocketAddr>,
}

/// A workflow a worker has, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) origin: String,
}

/// Runs executions of one kind, one at a time, on the thread that created it.
pub(crate) trait Engine {
    /// The language of its workflows, when users write them for it.
    fn language(&self) -> Option<&'static str>;

    /// Loads what is needed.
    ///
    /// # Errors
    /// When the worker cannot work at all.
    fn init(&mut self, init: &Init) -> Result<(), ErrorInfo>;

    /// The workflows that are there now.
    fn list(&self) -> Vec<Listed>;

    /// What is declared of them.
    fn describe(&mut self) -> Vec<WorkflowDescription>;

    /// What is declared otherwise than it was described before.
    fn describe_anew(&mut self) -> Vec<WorkflowDescription> {
        Vec::new()
    }

    /// Runs it, or gives `None` if this is not its business. Must call [`WorkerRun::start`] before user code.
    fn run(&mut self, run: &Arc<WorkerRun>, line: &Rc<dyn Downlink>) -> Option<RunOutcome>;

    /// Gets ready for the next execution, while nobody waits. True if there was something to do.
    fn prepare(&mut self) -> bool {
        false
    }

    /// True when this process should be replaced.
    fn wants_recycling(&self) -> bool {
        false
    }
}

/// The engines of a worker, in the order they are asked.
#[derive(Default)]
pub(crate) struct Engines {
    engines: Vec<Box<dyn Engine>>,
}

impl Engines {
    pub(crate) fn add(&mut self, engine: Box<dyn Engine>) {
        self.engines.push(engine);
    }

    pub(crate) fn language(&self) -> &'static str {
        self.engines.iter().find_map(|engine| engine.language()).unwrap_or("rust")
    }

    /// True if a workflow may be a file, and not only what is built in.
    pub(crate) fn runs_files(&self) -> bool {
        self.engines.iter().any(|engine| engine.language().is_some())
    }

    /// Loads everything; gives the names of what can be run.
    pub(crate) fn init(&mut self, init: &Init) -> Result<Vec<String>, ErrorInfo> {
        for engine in &mut self.engines {
            engine.init(init)?;
            engine.prepare();
        }
        Ok(self.list().into_iter().map(|listed| listed.name).collect())
    }

    pub(crate) fn list(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = self.engines.iter().flat_map(|engine| engine.list()).collect();
        listed.sort();
        listed.dedup_by(|later, earlier| later.name == earlier.name);
        listed
    }

    /// What is declared of each, by the engine that would run it.
    pub(crate) fn describe(&mut self) -> Vec<WorkflowDescription> {
        let mut described = BTreeMap::new();
        for one in self.engines.iter_mut().flat_map(|engine| engine.describe()) {
            described.entry(one.name.clone()).or_insert(one);
        }
        described.into_values().collect()
    }

    pub(crate) fn describe_anew(&mut self) -> Vec<WorkflowDescription> {
        self.engines.iter_mut().flat_map(|engine| engine.describe_anew()).collect()
    }

    pub(crate) fn run(&mut self, run: &Arc<WorkerRun>, line: &Rc<dyn Downlink>) -> RunOutcome {
        for engine in &mut self.engines {
            if let Some(outcome) = engine.run(run, line) {
                return outcome;
            }
        }
        RunOutcome::Rejected { reason: self.unknown(run) }
    }

    pub(crate) fn prepare(&mut self) -> bool {
        let mut any = false;
        for engine in &mut self.engines {
            any |= engine.prepare();
        }
        any
    }

    pub(crate) fn wants_recycling(&self) -> bool {
        self.engines.iter().any(|engine| engine.wants_recycling())
    }

    fn unknown(&self, run: &WorkerRun) -> String {
        match &run.request.source {
            CodeSource::Named => {
                let names: Vec<String> = self.list().into_iter().map(|listed| listed.name).collect();
                crate::names::not_found(&run.request.workflow, &names)
            }
            CodeSource::Path { path, .. } => format!("this worker runs no files, and was asked for {path}"),
            CodeSource::Inline { language, .. } => {
                format!("this worker runs no inline code, and was sent some in {language:?}")
            }
        }
    }
}
