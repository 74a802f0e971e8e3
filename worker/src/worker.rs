//! A worker program: its workflows, and its command line.

use std::process::ExitCode;

use crate::engine::Engines;
use crate::javascript::JavaScript;

/// A worker. Add workflows, then call [`main`](Worker::main) from the program's `main`.
#[derive(Default)]
pub struct Worker {
    javascript: bool,
}

impl Worker {
    /// A worker without workflows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs JavaScript workflows too: files of the workflows folder and inline code.
    #[must_use]
    pub fn with_javascript(mut self) -> Self {
        self.javascript = true;
        self
    }

    /// Does what the command line and the environment say.
    pub fn main(self) -> ExitCode {
        crate::command::main(self)
    }

    pub(crate) fn into_engines(self) -> Engines {
        let mut engines = Engines::default();
        if self.javascript {
            engines.add(Box::new(JavaScript::default()));
        }
        engines
    }
}
