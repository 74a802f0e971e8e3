//! `supervisor cancel`: asks for executions to end.

use std::process::ExitCode;

use clap::Args;
use muster_api::{CancelOutcome, CancelView};
use muster_core::execution::IdOrPrefix;

use super::exit::CommandFailure;
use super::output::print_line;
use super::selection::{ManyVerb, SelectionFlags};
use super::server::ServerFlags;

/// Cancel executions, waiting or running.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 when each was waiting, running or over; 1 when one is not known.

Examples:
  supervisor cancel 0198aa00-0000-7000-8000-000000000001
  supervisor cancel --status PENDING --workflow report          how many there are
  supervisor cancel --status PENDING --workflow report --yes    all of them")]
pub struct CancelCommand {
    /// Which executions: their ids, or as many first digits of each as no other has.
    #[arg(id = "id", value_name = "ID")]
    ids: Vec<IdOrPrefix>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Print one JSON object per execution.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl CancelCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        match (self.selection.selection(), self.ids.as_slice()) {
            (Some(selection), _) => {
                return self.selection.run(&client, ManyVerb::Cancel, &selection, self.json);
            }
            (None, []) => {
                return Err(CommandFailure::usage(
                    "which executions? give ids, or what they have in common: --help",
                ));
            }
            (None, [_, ..]) => {}
        }
        let mut all_are_known = true;
        for id in &self.ids {
            let cancelled = client.cancel(client.resolve(*id)?)?;
            all_are_known &= cancelled.outcome != CancelOutcome::Unknown;
            print_line(&match self.json {
                true => serde_json::to_string(&cancelled).unwrap_or_default(),
                false => describe(&cancelled),
            })?;
        }
        Ok(if all_are_known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn describe(cancelled: &CancelView) -> String {
    let id = cancelled.execution_id;
    match cancelled.outcome {
        CancelOutcome::Cancelled => format!("{id} was waiting and is CANCELLED"),
        CancelOutcome::Requested => format!("{id} is running and is asked to end"),
        CancelOutcome::AlreadyFinished => format!("{id} was over already: {}", cancelled.status),
        CancelOutcome::Unknown => format!("{id} is not known; if its message comes, nothing will run"),
    }
}
