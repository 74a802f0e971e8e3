//! The results of a batch on their way out: in the order of the lines, counted, and shown as progress.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::ProgressBar;
use muster_protocol::spelled_out;

use super::files::ResultOutput;
use crate::batch::{InOrder, ReportResults, ResultLine, Summary};
use crate::cli::exit::CommandFailure;
use crate::cli::output::note;

/// How many results may wait for a line before them, before no more lines are taken.
const HELD_MAX: usize = 100_000;
/// How much the results that wait may hold, before no more lines are taken.
const HELD_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Writes results in the order of the lines, counts them, shows how far it is.
pub(super) struct Results<F> {
    order: InOrder<ResultLine>,
    summary: Summary,
    output: Box<dyn Write + Send>,
    /// Each result is passed on as soon as it is there.
    at_once: bool,
    problem: Option<io::Error>,
    /// Called when nobody can get the results any more.
    unwritable: F,
    bar: ProgressBar,
    gave_up: Option<String>,
    /// How many executions the lines have submitted, which nobody ran.
    submitted: usize,
}

impl<F: FnMut()> Results<F> {
    /// `lines_come_late` when whoever writes the lines may wait for results.
    pub(super) fn new(output: ResultOutput, lines_come_late: bool, bar: ProgressBar, unwritable: F) -> Self {
        Self {
            order: InOrder::default(),
            summary: Summary::default(),
            at_once: lines_come_late || output.is_watched,
            output: output.into_writer(),
            problem: None,
            unwritable,
            bar,
            gave_up: None,
            submitted: 0,
        }
    }

    /// Writes what there is in order. After a failure it only counts.
    fn pass_on(&mut self) -> io::Result<()> {
        let mut written = 0;
        while let Some(result) = self.order.take() {
            self.summary.count(&result);
            if self.problem.is_none() {
                let line = result.to_json_line().map_err(io::Error::other)?;
                self.output.write_all(line.as_bytes())?;
                written += 1;
            }
        }
        if written > 0 && self.at_once { self.output.flush() } else { Ok(()) }
    }

    /// Says what came of it all. `kept` is the folder of the records, if they stay.
    pub(super) fn finish(
        mut self,
        started: Instant,
        kept: Option<&Path>,
    ) -> Result<ExitCode, CommandFailure> {
        self.bar.finish_and_clear();
        let flushed = if self.problem.is_none() { self.output.flush() } else { Ok(()) };
        note(&spelled_out(self.summary.describe(started.elapsed()).trim_end()));
        if self.submitted > 0 {
            note(&spelled_out(&submitted_notice(self.submitted, kept)));
        }
        if let Some(reason) = self.gave_up {
            note(&spelled_out(&reason));
        }
        if let Some(error) = self.problem.or(flushed.err()) {
            return Err(CommandFailure::other(format!("cannot write the results: {error}")));
        }
        Ok(if self.summary.all_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl<F: FnMut()> ReportResults for Results<F> {
    fn take(&mut self, place: usize, result: ResultLine) {
        self.bar.inc(1);
        if result.error_type.as_deref() == Some(muster_protocol::error_type::WORKER_INIT_FAILED) {
            self.gave_up.clone_from(&result.error_message);
        }
        let bytes = result.bytes();
        self.order.put(place, result, bytes);
        if let Err(error) = self.pass_on()
            && self.problem.is_none()
        {
            self.problem = Some(error);
            (self.unwritable)();
        }
    }

    fn submitted(&mut self, executions: usize) {
        self.submitted += executions;
    }

    fn is_full(&self) -> bool {
        self.order.held() >= HELD_MAX || self.order.held_bytes() >= HELD_MAX_BYTES
    }
}

/// What becomes of executions that the lines have submitted.
fn submitted_notice(count: usize, kept: Option<&Path>) -> String {
    let (noun, was) = if count == 1 { ("execution", "was") } else { ("executions", "were") };
    let what = format!("{count} {noun} that workflows submitted {was} not run: a batch runs its lines only");
    match kept {
        Some(folder) => {
            let folder = folder.display();
            format!("{what}; what was submitted waits in {folder} for `supervisor run --data-dir {folder}`")
        }
        None => {
            format!("{what}; what was submitted is gone: give such work to a supervisor, or use --data-dir")
        }
    }
}
