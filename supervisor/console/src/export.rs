//! `supervisor export`: writes what is defined as a file for `supervisor apply`.

use std::process::ExitCode;

use clap::Args;
use muster_api::file::render;

use super::exit::CommandFailure;
use super::output::{json_line, print, print_line};
use super::server::ServerFlags;

/// Write what is defined as a file that `supervisor apply` takes. Secrets are not in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor export > muster.defs.toml
  supervisor export --json | jq '.workflows | length'")]
pub struct ExportCommand {
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ExportCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let all = self.server.client()?.definitions()?;
        if self.json {
            print_line(&json_line(&all))?;
        } else {
            print(&render(&all).map_err(|error| CommandFailure::other(error.to_string()))?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
