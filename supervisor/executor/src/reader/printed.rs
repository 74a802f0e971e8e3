//! What a worker prints on its stderr: cut into lines, and given to the run it holds.

use std::sync::Arc;

use muster_system::process::PIPE_BYTES;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::super::logs;
use super::{WorkerReader, read_now};

impl WorkerReader {
    /// Takes all that is in the stderr pipe, without waiting: what the run wrote is there. No more than a pipe holds,
    /// because what is younger was not in it: a child that writes without end must not keep the executor's only thread.
    pub(in super::super) fn drain_stderr(&mut self) {
        let mut taken = 0;
        while self.stderr_open && taken < PIPE_BYTES {
            let read = read_now(&self.stderr, &mut self.scratch);
            if read == 0 {
                return;
            }
            taken += read;
            self.took_stderr(read);
        }
    }

    pub(super) async fn read_stderr_to_its_end(&mut self) {
        while self.stderr_open {
            let read = self.stderr.read(&mut self.scratch).await.unwrap_or(0);
            self.took_stderr(read);
            tokio::task::yield_now().await;
        }
    }

    /// Takes what was just read into the scratch buffer; nothing is the end.
    pub(super) fn took_stderr(&mut self, read: usize) {
        if read == 0 {
            self.stderr_open = false;
        }
        let lines = self.lines.take(&self.scratch[..read], &self.link.secrets(), Instant::now());
        self.attribute(lines);
    }

    /// Ends a line without an end: the run is over, or the process is.
    pub(in super::super) fn end_stderr_line(&mut self) {
        let last = self.lines.flush();
        self.attribute(last);
    }

    /// Lines belong to the run the worker holds; between runs they go to the supervisor's own log, without the
    /// secrets of any run that was before.
    fn attribute(&mut self, lines: impl IntoIterator<Item = String>) {
        let Some((_, attempt)) = self.link.run.get() else {
            for mut line in lines {
                self.link.secrets().mask_in(&mut line);
                self.late.printed(self.link.id, &line);
            }
            return;
        };
        if let Some(run) = self.engine.state.borrow_mut().run_mut(attempt) {
            let secrets = Arc::clone(&run.secrets);
            self.engine.log(run, lines.into_iter().map(|line| logs::printed(line, &secrets)));
        }
    }
}
