//! `supervisor transcript`: what passed between supervisor and worker.

use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use muster_protocol::transcript::Transcript as Frames;
use uuid::Uuid;

use super::exit::CommandFailure;
use super::output::{note, print};
use super::server::ServerFlags;
use super::terminal::OutputStream;
use crate::transcripts::describe;

/// Print or save the frames of an execution that did not succeed.
///
/// The supervisor that ran it keeps them (setting `transcripts`), secrets masked. A worker replays a saved one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor transcript 0198aa00-0000-7000-8000-000000000001
  supervisor transcript 0198aa00-0000-7000-8000-000000000001 --out failure.jsonl && worker replay failure.jsonl")]
pub(crate) struct TranscriptCommand {
    /// Which execution.
    #[arg(value_name = "ID")]
    id: Uuid,
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

impl TranscriptCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let text = self.server.client()?.transcript(self.id, self.attempt)?.body;
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
            print(&OutputStream::stdout().text(&describe(&frames)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
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
    use super::worker_of;

    #[test]
    fn the_worker_that_replays_is_the_one_that_recorded() {
        assert_eq!(worker_of("muster-worker-python"), "python3 -m muster_worker");
        assert_eq!(worker_of("muster-worker-node"), "muster-worker");
        assert_eq!(worker_of("muster-worker"), "worker");
    }
}
