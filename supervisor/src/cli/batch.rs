//! `supervisor batch`: a file of executions, without a service.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::Failure;
use super::output::note;
use super::setting_flags::SettingFlags;
use crate::batch::{Batch, InOrder, Input, ResultLine, Summary, read_lines, run};
use crate::observe;
use crate::process::close_inherited_on_exec;
use crate::service::DataDir;
use crate::service::transcripts;
use crate::settings::{DATABASE_FILE, Origin};
use crate::store::{Durability, SqliteStore, Store as _};

/// Run every line of a JSONL file through a pool of its own; no service is needed.
///
/// A line is {"workflow": NAME, "params": ANY} and any other field of a queue message. One result line is
/// written per input line, in input order. Records are kept in a temporary place unless --data-dir is given.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 when every line succeeded, else 1.

Examples:
  supervisor batch work.jsonl --out results.jsonl
  jq -c '{workflow: \"hello\", params: .}' people.jsonl | supervisor batch - --keep-going
  supervisor batch work.jsonl --max-workers 8 --execution-timeout-seconds 30 --data-dir ./records")]
pub(crate) struct RunBatch {
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

impl RunBatch {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        close_inherited_on_exec();
        let settings = self.settings.load()?;
        observe::start(&settings.log_level, settings.log_format)
            .map_err(|error| Failure::usage(error.to_string()))?;
        let bar = progress_bar(&self.file);
        let lines = Input::new(open_input(&self.file)?);
        let mut results = Results::new(open_output(self.out.as_deref())?, bar);
        let records = Records::open(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let started = Instant::now();
        runtime.block_on(async {
            let store =
                Arc::new(SqliteStore::open(&records.database, records.durability).await.map_err(failed)?);
            store.migrate().await.map_err(failed)?;
            let stop = CancellationToken::new();
            tokio::spawn(stop_on_signal(stop.clone()));
            let transcripts = match &records.lock {
                Some(data_dir) => Some(transcripts(&settings, data_dir.path()).map_err(failed)?),
                None => None,
            };
            let batch = Batch { settings, store, keep_going: self.keep_going, transcripts, stop };
            run(batch, read_lines(lines), |place, result| results.take(place, result)).await.map_err(failed)
        })?;
        results.finish(started)
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::other(error.to_string())
}

/// The first SIGINT or SIGTERM ends the batch early, with a result for every line; the next one ends it at once.
async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(130);
        }
        stop.cancel();
    }
}

/// Shows how far the batch is, where somebody looks. How many lines there are is known of files only.
fn progress_bar(input: &Path) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match count_lines(input) {
        Some(lines) => (ProgressBar::new(lines), "{wide_bar} {pos}/{len}  {per_sec}  {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {pos} done  {per_sec}  {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The lines of a regular file that hold something.
fn count_lines(path: &Path) -> Option<u64> {
    if !path.metadata().is_ok_and(|found| found.is_file()) {
        return None;
    }
    let lines = BufReader::new(File::open(path).ok()?).split(b'\n');
    let held = lines.map_while(Result::ok).filter(|line| !line.trim_ascii().is_empty());
    u64::try_from(held.count()).ok()
}

fn open_input(path: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

fn open_output(path: Option<&Path>) -> Result<Box<dyn Write + Send>, Failure> {
    let Some(path) = path else { return Ok(Box::new(BufWriter::new(io::stdout()))) };
    let file = File::create(path)
        .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Where the records of this batch are.
struct Records {
    database: PathBuf,
    durability: Durability,
    /// Removed with all that is in it when the batch is over.
    _temporary: Option<tempfile::TempDir>,
    /// Kept beyond the batch, and ours alone meanwhile.
    lock: Option<DataDir>,
}

impl Records {
    fn open(settings: &crate::settings::Settings) -> Result<Self, Failure> {
        if settings.origin("data_dir") == Origin::Default {
            let folder = tempfile::tempdir()?;
            let database = folder.path().join("batch.sqlite");
            return Ok(Self {
                database,
                durability: Durability::Normal,
                _temporary: Some(folder),
                lock: None,
            });
        }
        let lock = DataDir::lock(&settings.data_dir).map_err(failed)?;
        let database = lock.path().join(DATABASE_FILE);
        Ok(Self { database, durability: Durability::Normal, _temporary: None, lock: Some(lock) })
    }
}

/// Writes results in the order of the lines, counts them, shows how far it is.
struct Results {
    order: InOrder<ResultLine>,
    summary: Summary,
    output: Box<dyn Write + Send>,
    problem: Option<io::Error>,
    bar: ProgressBar,
    gave_up: Option<String>,
}

impl Results {
    fn new(output: Box<dyn Write + Send>, bar: ProgressBar) -> Self {
        Self {
            order: InOrder::default(),
            summary: Summary::default(),
            output,
            problem: None,
            bar,
            gave_up: None,
        }
    }

    fn take(&mut self, place: usize, result: ResultLine) {
        self.bar.inc(1);
        if result.error_type.as_deref() == Some(muster_protocol::error_type::WORKER_INIT_FAILED) {
            self.gave_up.clone_from(&result.error_message);
        }
        self.order.put(place, result);
        while let Some(result) = self.order.take() {
            self.summary.count(&result);
            let written = result.to_json_line().map_err(io::Error::other);
            let written = written.and_then(|line| self.output.write_all(line.as_bytes()));
            if let Err(error) = written {
                self.problem.get_or_insert(error);
            }
        }
    }

    fn finish(mut self, started: Instant) -> Result<ExitCode, Failure> {
        self.bar.finish_and_clear();
        if let Some(error) = self.output.flush().err().or(self.problem) {
            return Err(Failure::other(format!("cannot write the results: {error}")));
        }
        note(self.summary.describe(started.elapsed()).trim_end());
        if let Some(reason) = self.gave_up {
            note(&format!("no worker could be started: {reason}"));
        }
        Ok(if self.summary.all_succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
