//! `supervisor transcript`: what passed between supervisor and worker.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use muster_protocol::transcript::Transcript as Frames;
use uuid::Uuid;

use super::exit::Failure;
use super::output::{note, print};
use super::server::Server;
use crate::transcripts::describe;

/// Print or save the frames of an execution that did not succeed.
///
/// The supervisor that ran it keeps them (setting `transcripts`), secrets masked. A worker replays a saved one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor transcript 0198aa00-0000-7000-8000-000000000001
  supervisor transcript 0198aa00-0000-7000-8000-000000000001 --out failure.jsonl && worker replay failure.jsonl")]
pub(crate) struct Transcript {
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
    server: Server,
}

impl Transcript {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let text = self.server.client()?.transcript(self.id, self.attempt)?.body;
        if let Some(file) = &self.out {
            std::fs::write(file, &text)
                .map_err(|error| Failure::other(format!("cannot write {}: {error}", file.display())))?;
            note(&format!(
                "saved to {}; run it again with: worker replay {}",
                file.display(),
                file.display()
            ));
        } else if self.json {
            print(&text)?;
        } else {
            let frames = Frames::parse(&text).map_err(|error| Failure::other(error.to_string()))?;
            print(&describe(&frames))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
