//! `supervisor retry`: runs an execution again, as a new one.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;
use muster_core::execution::IdOrPrefix;

use super::exit::CommandFailure;
use super::follow::tell_end;
use super::output::{json_line, note, note_pauses, print_line};
use super::selection::{ManyVerb, SelectionFlags};
use super::server::ServerFlags;

/// Run an execution again with the same request, as a new execution; prints its id.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes with --wait: 0 SUCCESS, 1 FAILED, 124 TIMEOUT, 130 CANCELLED; 69 when no supervisor answers.

Examples:
  supervisor retry 0198aa00-0000-7000-8000-000000000001
  supervisor retry 0198aa00 --wait
  supervisor retry --status FAILED --error-type ConnectionError --since 2026-05-01T00:00:00Z          how many there are
  supervisor retry --status FAILED --error-type ConnectionError --since 2026-05-01T00:00:00Z --yes    each once"
)]
pub struct RetryCommand {
    /// Which execution to repeat: its id, or as many of its first digits as no other has.
    #[arg(id = "id", value_name = "ID")]
    id: Option<IdOrPrefix>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Wait for the end; print the result.
    #[arg(long)]
    wait: bool,
    /// Print a JSON object; with --wait the row.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl RetryCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let id = match (self.selection.selection(), self.id) {
            (Some(_), _) if self.wait => {
                return Err(CommandFailure::usage("--wait is for one execution: give its id"));
            }
            (Some(selection), _) => {
                return self.selection.run(&client, ManyVerb::Retry, &selection, self.json);
            }
            (None, None) => {
                return Err(CommandFailure::usage(
                    "which executions? give an id, or what they have in common: --help",
                ));
            }
            (None, Some(id)) => id,
        };
        let accepted = client.retry(client.resolve(id)?)?;
        if self.wait {
            // Whoever stops waiting, which ends nothing, knows what to ask for.
            if std::io::stderr().is_terminal() {
                note(&format!("execution {}", accepted.execution_id));
            }
            return tell_end(&client, accepted.execution_id, self.json);
        }
        note_pauses(&accepted.paused_by);
        print_line(&match self.json {
            true => json_line(&accepted),
            false => accepted.execution_id.to_string(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
