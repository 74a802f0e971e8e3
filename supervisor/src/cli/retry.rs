//! `supervisor retry`: runs an execution again, as a new one.

use std::process::ExitCode;

use clap::Args;
use muster_core::execution::IdOrPrefix;

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;

/// Run an execution again with the same request, as a new execution; prints its id.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor retry 0198aa00-0000-7000-8000-000000000001")]
pub(crate) struct RetryCommand {
    /// Which execution to repeat: its id, or as many of its first digits as no other has.
    #[arg(value_name = "ID")]
    id: IdOrPrefix,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl RetryCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let accepted = client.retry(client.resolve(self.id)?)?;
        print_line(&match self.json {
            true => serde_json::to_string(&accepted).unwrap_or_default(),
            false => accepted.execution_id.to_string(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
