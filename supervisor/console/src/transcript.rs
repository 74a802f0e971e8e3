//! `supervisor transcript`: what passed between supervisor and worker.

mod describe;

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::{ApiClient, ClientError, ExecutionEvent, ExecutionEvents};
use muster_core::execution::IdOrPrefix;
use muster_core::fleet::SupervisorRecord;
use muster_protocol::spelled_out;
use muster_protocol::transcript::{Transcript as Frames, beginning, side_by_side};
use uuid::Uuid;

use self::describe::describe;
use super::exit::CommandFailure;
use super::output::{note, print};
use super::server::ServerFlags;

/// Print or save the frames of an execution that did not succeed.
///
/// The supervisor that ran it keeps them (setting `transcripts`), secrets masked; it is asked at its own address. A worker
/// replays a saved one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:
  supervisor transcript 0198aa00-0000-7000-8000-000000000001
  supervisor transcript 0198aa00-0000-7000-8000-000000000001 --out failure.jsonl && worker replay failure.jsonl
  supervisor transcript diff failure.jsonl again.jsonl",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub struct TranscriptCommand {
    #[command(subcommand)]
    command: Option<TranscriptSubcommand>,
    /// Which execution: its id, or as many of its first digits as no other has.
    #[arg(value_name = "ID", required = true)]
    id: Option<IdOrPrefix>,
    /// Of this attempt; else of the latest.
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Save it to this file, for `worker replay`.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print lines of JSON, as they are saved.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

/// What else there is to do with transcripts.
#[derive(Debug, Subcommand)]
enum TranscriptSubcommand {
    /// Compare two saved transcripts, and show the first difference.
    ///
    /// Calls, log records and the outcome are compared, values exactly: 1 and 1.0 differ. Where the first masks a
    /// secret, any text is the same.
    #[command(after_help = "Examples:
  worker replay failure.jsonl --out again.jsonl
  supervisor transcript diff failure.jsonl again.jsonl

Exit status: 0 they tell the same, 1 they do not, 2 a file cannot be read.")]
    Diff(DiffArguments),
}

#[derive(Debug, Args)]
struct DiffArguments {
    /// The transcript of the earlier run.
    #[arg(value_name = "RECORDED")]
    recorded: PathBuf,
    /// The transcript of the later run.
    #[arg(value_name = "REPLAYED")]
    replayed: PathBuf,
}

impl DiffArguments {
    fn run(&self) -> Result<ExitCode, CommandFailure> {
        let (recorded, replayed) = (read(&self.recorded)?, read(&self.replayed)?);
        for (file, frames) in [(&self.recorded, recorded.dropped()), (&self.replayed, replayed.dropped())] {
            if frames > 0 {
                let file = file.display();
                note(&format!("{file} lacks {frames} frames; calls and logs after the gap are not compared"));
            }
        }
        let Some(difference) = recorded.first_difference(&replayed) else {
            print(&spelled_out(&format!("the same: {}\n", beginning(&replayed.told_outcome()))))?;
            return Ok(ExitCode::SUCCESS);
        };
        let (then, now) = side_by_side(&difference.recorded, &difference.replayed);
        let place = difference.place;
        let told = format!("the first difference is {place}\n  recorded: {then}\n  replayed: {now}\n");
        print(&spelled_out(&told))?;
        Ok(ExitCode::FAILURE)
    }
}

/// Reads a transcript that was saved.
fn read(file: &Path) -> Result<Frames, CommandFailure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        CommandFailure::usage(format!("{shown} cannot be read: {error}{}", hint_of_id(file)))
    })?;
    Frames::parse(&text).map_err(|error| CommandFailure::usage(format!("{shown}: {error}")))
}

/// Other commands take ids where this one takes files.
fn hint_of_id(file: &Path) -> String {
    match file.to_str().filter(|text| !file.exists() && text.parse::<IdOrPrefix>().is_ok()) {
        Some(id) => format!(
            "; files are compared: if that is an execution, save it with `supervisor transcript {id} --out {id}.jsonl`"
        ),
        None => String::new(),
    }
}

impl TranscriptCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        if let Some(TranscriptSubcommand::Diff(files)) = &self.command {
            return files.run();
        }
        let id = self.id.ok_or_else(|| CommandFailure::usage("name an execution by its id"))?;
        let client = self.server.client()?;
        let text = self.fetch(&client, client.resolve(id)?)?;
        if let Some(file) = &self.out {
            let frames = Frames::parse(&text).map_err(|error| CommandFailure::other(error.to_string()))?;
            save(file, &text).map_err(|error| {
                CommandFailure::other(format!("cannot write {}: {error}", file.display()))
            })?;
            let (worker, file) = (worker_of(&frames.header.implementation), file.display());
            note(&format!("saved to {file}; run it again with: {worker} replay {file}"));
        } else if self.json {
            print(&text)?;
        } else {
            let frames = Frames::parse(&text).map_err(|error| CommandFailure::other(error.to_string()))?;
            print(&spelled_out(&describe(&frames)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl TranscriptCommand {
    /// The text of it: from the supervisor that is asked, else from the one that ran the attempt.
    fn fetch(&self, client: &ApiClient, id: Uuid) -> Result<String, CommandFailure> {
        let refusal = match client.transcript(id, self.attempt) {
            Ok(found) => return Ok(found.body),
            Err(refusal @ ClientError::Refused { status: 404, .. }) => refusal,
            Err(error) => return Err(error.into()),
        };
        let Some(ran_by) = ran_by(&client.events(id)?, self.attempt) else { return Err(refusal.into()) };
        let Some(address) = ran_by.http_address else { return Err(refusal.into()) };
        // What is said there is of less use than where it was looked for.
        let found = self.server.client_at(&address)?.transcript(id, self.attempt).map_err(|_| refusal)?;
        note(&format!("from {}, which ran it ({address})", ran_by.host));
        Ok(found.body)
    }
}

/// Who ran an attempt, or the latest.
fn ran_by(execution: &ExecutionEvents, attempt: Option<u32>) -> Option<SupervisorRecord> {
    let is_meant = |event: &&ExecutionEvent| {
        event.event == "claimed" && attempt.is_none_or(|wanted| event.attempt == wanted)
    };
    let by = execution.events.iter().rfind(is_meant)?.supervisor?;
    execution.supervisors.iter().find(|one| one.id == by).cloned()
}

/// Writes a file for nobody else: parameters and results are people's data, secrets or not.
fn save(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    // One that was there already keeps its mode until it is told.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(text.as_bytes())
}

/// What starts the worker that made the recording.
fn worker_of(implementation: &str) -> &'static str {
    match implementation {
        "muster-worker-python" => "python3 -m muster_worker",
        "muster-worker-node" => "muster-worker",
        _ => "worker",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{read, worker_of};

    #[test]
    fn an_id_in_place_of_a_file_is_told_how_to_become_one() {
        let hint = "supervisor transcript 0198aa00-0000-7000 --out 0198aa00-0000-7000.jsonl";
        let told = format!("{:?}", read(Path::new("0198aa00-0000-7000")).err().unwrap());
        assert!(told.contains("No such file") && told.contains(hint), "{told}");
        for file in ["none.jsonl", "0198aa00.jsonl", "/0198aa00"] {
            let told = format!("{:?}", read(Path::new(file)).err().unwrap());
            assert!(told.contains("No such file") && !told.contains("--out"), "{told}");
        }
    }

    #[test]
    fn the_worker_that_replays_is_the_one_that_recorded() {
        assert_eq!(worker_of("muster-worker-python"), "python3 -m muster_worker");
        assert_eq!(worker_of("muster-worker-node"), "muster-worker");
        assert_eq!(worker_of("muster-worker"), "worker");
    }
}
