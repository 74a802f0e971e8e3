//! `supervisor batch`: a file of executions, without a service.

mod files;
mod records;
mod results;

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use muster_system::process::close_inherited_on_exec;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::files::{LineReader, ResultOutput};
use self::records::Records;
use self::results::Results;
use super::exit::CommandFailure;
use super::setting_flags::SettingFlags;
use crate::batch::{Batch, Input, read_lines, run};
use crate::observe;
use crate::service::{DataDir, transcripts};

/// Run every line of a JSONL file through a pool of its own; no service is needed.
///
/// A line is {"workflow": NAME, "params": ANY} and any other field of a queue message, but those that want it
/// later, elsewhere or told to others. One result line is written per input line, in input order. Executions that
/// lines submit are not run. Nothing else is kept unless --data-dir is given on the command line.
#[derive(Debug, Args)]
#[command(
    after_help = "A first SIGINT or SIGTERM cancels what runs and writes a result for every line that was read. What a batch gives
up is over in the records of --data-dir too: no later `supervisor run` goes on with it.

Exit codes: 0 when every line succeeded; 1 when one did not, or the lines or results could not be read or
written to their end; 2 when the command line, the settings or FILE are wrong; 130 at a second signal.

Examples:
  supervisor batch work.jsonl --out results.jsonl
  jq -c '{workflow: \"hello\", params: .}' people.jsonl | supervisor batch - --keep-going
  supervisor batch work.jsonl --max-workers 8 --execution-timeout-seconds 30 --data-dir ./records"
)]
pub(crate) struct BatchCommand {
    /// The file of executions, one JSON object per line; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the results here instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Go on after a failure. Without it nothing new starts, and the rest is CANCELLED.
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl BatchCommand {
    pub(crate) fn run(self) -> Result<ExitCode, CommandFailure> {
        close_inherited_on_exec();
        let settings = self.settings.load_letting_nobody_in()?;
        observe::start(&settings.log_level, settings.log_format)
            .map_err(|error| CommandFailure::usage(error.to_string()))?;
        let lines = LineReader::open(&self.file)?;
        let output = ResultOutput::open(self.out.as_deref(), &lines)?;
        let bar = progress_bar(&lines, &self.file);
        let records = Records::open(&settings)?;
        let stop = BatchSignals::of(&lines);
        let unwritable = stop.clone();
        let mut results =
            Results::new(output, !lines.are_all_there(), bar, move || unwritable.nobody_reads());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let started = Instant::now();
        let ran = runtime.block_on(async {
            let store = records.store().await?;
            let kept = Arc::clone(&store);
            tokio::spawn(stop.clone().on_signal());
            let transcripts = match &records.kept {
                Some(data_dir) => Some(transcripts(&settings, data_dir.path()).map_err(failed)?),
                None => None,
            };
            let (stop, stop_reading) = (stop.running, stop.reading);
            let keep_going = self.keep_going;
            let batch = Batch { settings, store, keep_going, transcripts, stop, stop_reading };
            let lines = read_lines(Input::new(lines.into_reader()))?;
            let ran = run(batch, lines, &mut results).await.map_err(failed);
            kept.close_records().await;
            ran
        });
        // What there is of results is written and counted whatever ended the batch.
        let finished = results.finish(started, records.kept.as_ref().map(DataDir::path));
        finished.and_then(|code| ran.map(|()| code))
    }
}

fn failed(error: impl std::fmt::Display) -> CommandFailure {
    CommandFailure::other(error.to_string())
}

/// What ends a batch early.
#[derive(Clone)]
struct BatchSignals {
    /// Nothing more runs.
    running: CancellationToken,
    /// No more lines are read either.
    reading: CancellationToken,
    lines_are_all_there: bool,
}

impl BatchSignals {
    fn of(lines: &LineReader) -> Self {
        let (running, reading) = (CancellationToken::new(), CancellationToken::new());
        Self { running, reading, lines_are_all_there: lines.are_all_there() }
    }

    /// The first SIGINT or SIGTERM ends the batch early, the next one ends it at once. The lines of a regular file
    /// have a result each even so; those of a pipe or a terminal may never come to an end.
    async fn on_signal(self) {
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut is_second = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if is_second {
                std::process::exit(130);
            }
            is_second = true;
            self.running.cancel();
            if !self.lines_are_all_there {
                self.reading.cancel();
            }
        }
    }

    /// Results that cannot be written are not worth running for.
    fn nobody_reads(&self) {
        self.running.cancel();
        self.reading.cancel();
    }
}

/// Shows how far the batch is, where somebody looks. How many lines there are is known of files only.
fn progress_bar(lines: &LineReader, path: &Path) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match lines.count(path) {
        Some(count) => (ProgressBar::new(count), "{wide_bar} {pos}/{len}  {per_sec}  {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {pos} done  {per_sec}  {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
