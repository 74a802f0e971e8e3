//! `supervisor explain`: why an execution is where it is.

use std::process::ExitCode;

use clap::Args;
use muster_api::ExplanationView;
use muster_core::execution::IdOrPrefix;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;

/// Say why an execution does not run yet, where it runs, or how it ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor explain 0198aa00-0000-7000-8000-000000000001
  supervisor explain 0198aa00-0000-7000-8000-000000000001 --json | jq -r '.reasons[] | select(.is_blocking) | .kind'")]
pub struct ExplainCommand {
    /// Which execution: its id, or as many of its first digits as no other has.
    #[arg(value_name = "ID")]
    id: IdOrPrefix,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ExplainCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let explanation = client.explain(client.resolve(self.id)?)?;
        if self.json {
            print_line(&serde_json::to_string(&explanation).unwrap_or_default())?;
        } else {
            print_line(&spelled_out(&describe(&explanation)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(explanation: &ExplanationView) -> String {
    let ExplanationView { execution_id, status, reasons } = explanation;
    let mut text = format!("{execution_id} is {status}");
    for reason in reasons {
        let mark = if reason.is_blocking { "waits" } else { "note" };
        text.push_str(&format!("\n  {mark:6} {}", reason.message));
    }
    text
}
