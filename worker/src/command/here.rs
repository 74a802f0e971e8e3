//! Running one execution in this process, for `run` and `replay`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use muster_protocol::{CodeSource, JsonBytes, RunOutcome};

use super::arguments::FolderFlags;
use super::terminal::TerminalLine;
use crate::engine::{Engines, Init};
use crate::run::{Downlink, RunRequest, Waker, WorkerRun};
use crate::serve::exit;

/// Why a command line cannot be followed, and the exit code that means.
pub(super) struct Refusal {
    code: u8,
    message: String,
}

impl Refusal {
    /// Says it on stderr and gives the exit code.
    pub(super) fn report(self) -> u8 {
        exit::complain(&self.message);
        self.code
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self { code: super::EXIT_USAGE, message }
    }
}

/// Engines that are ready, and the line of a run that nobody speaks to.
pub(super) struct LocalRun {
    engines: Engines,
    waker: Arc<Waker>,
}

impl LocalRun {
    /// Gets the engines ready for this run. A folder that is not there is named, if the workflow can only be in it.
    pub(super) fn open(
        mut engines: Engines,
        folder: &FolderFlags,
        request: &RunRequest,
    ) -> Result<Self, Refusal> {
        let workflows_dir = std::path::absolute(&folder.workflows_dir)
            .map_err(|error| format!("--workflows-dir {}: {error}", folder.workflows_dir.display()))?;
        let memory_limit_mb = Some(folder.memory_limit_mb);
        let init = Init { workflows_dir: Some(workflows_dir.clone()), memory_limit_mb, ..Init::default() };
        let there = engines.init(&init).map_err(|error| Refusal {
            code: exit::INIT_FAILED,
            message: format!("cannot start: {}", error.message),
        })?;
        let is_file = matches!(request.source, CodeSource::Named) && !there.contains(&request.workflow);
        if is_file && engines.runs_files() && !workflows_dir.is_dir() {
            exit::complain(&no_folder(&workflows_dir));
        }
        let waker = Arc::new(Waker::new().map_err(|error| format!("cannot make an eventfd: {error}"))?);
        Ok(Self { engines, waker })
    }

    /// Wakes a run that waits, from any thread.
    pub(super) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// The language of this worker's workflows.
    pub(super) fn language(&self) -> &'static str {
        self.engines.language()
    }

    /// Runs it to its end.
    pub(super) fn run(mut self, run: &Arc<WorkerRun>) -> RunOutcome {
        let line: Rc<dyn Downlink> = Rc::new(TerminalLine { waker: self.waker });
        run.conclude(self.engines.run(run, &line))
    }
}

/// Says that the folder with the workflows is not there, and what to do.
pub(super) fn no_folder(workflows_dir: &Path) -> String {
    let folder = workflows_dir.display();
    format!("there is no folder {folder}; name the one with your workflows with --workflows-dir DIR")
}

/// What workflows print must not end up in the result: stdout becomes stderr for them.
pub(super) fn keep_stdout_for_the_result() -> Result<File, String> {
    let kept = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3);
    let kept = kept.map_err(|error| format!("stdout is not usable: {error}"))?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())
        .map_err(|error| format!("stderr is not usable: {error}"))?;
    Ok(File::from(kept))
}

/// Writes a result as a line.
pub(super) fn write_result(to: &mut File, result: &JsonBytes) -> io::Result<()> {
    let mut line = if result.is_none() { b"null".to_vec() } else { result.0.to_vec() };
    line.push(b'\n');
    to.write_all(&line)
}
