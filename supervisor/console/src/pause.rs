//! `supervisor pause`, `resume` and `pauses`: what is not to start now.

use std::process::ExitCode;

use clap::Args;
use muster_api::client::{ApiClient, DefinitionKind};
use muster_api::{PauseView, WorkflowsView};
use muster_core::nearest::nearest;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, note, print, print_line};
use super::server::ServerFlags;

/// Let nothing start of a queue, a workflow, an organization, or at all; what runs goes on, and everything is accepted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor pause queue:python
  supervisor pause workflow:billing/invoice --why 'the CRM is away until noon'
  supervisor pause organization:acme
  supervisor pause all")]
pub struct PauseCommand {
    /// What to pause: all, queue:NAME, workflow:NAME or organization:KEY.
    #[arg(value_name = "TARGET")]
    target: String,
    /// The reason, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl PauseCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let paused = client.pause(&self.target, self.why.clone())?;
        print_line(&match self.json {
            true => json_line(&paused),
            false => spelled_out(&paused.sentence()).into_owned(),
        })?;
        if let Some(hint) = unknown(&client, &self.target) {
            note(&spelled_out(&hint));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What to say of a target that nobody knows. It may be right all the same: what is paused need not be there yet.
fn unknown(client: &ApiClient, target: &str) -> Option<String> {
    let (kind, name) = target.split_once(':')?;
    let known: Vec<String> = match kind {
        "workflow" => {
            let all: WorkflowsView = client.all_defined(DefinitionKind::Workflow).ok()?;
            let described = all.workflows.into_iter().map(|one| one.name);
            described.chain(all.defined.into_iter().map(|one| one.name)).collect()
        }
        "queue" => client.pool().ok()?.queues.into_iter().map(|one| one.queue).collect(),
        _ => return None,
    };
    if known.iter().any(|one| one == name) {
        return None;
    }
    let meant = nearest(name, known.iter().map(String::as_str));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    Some(format!("the supervisor knows no {kind} {name:?}, but it is paused should one come{meant}"))
}

/// Let start again what was paused, in its order.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor resume queue:python
  supervisor resume all")]
pub struct ResumeCommand {
    /// What to resume, as it was paused: all, queue:NAME, workflow:NAME or organization:KEY.
    #[arg(value_name = "TARGET")]
    target: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ResumeCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let resumed = client.resume(&self.target)?;
        let target = &resumed.target;
        print_line(&match (self.json, resumed.was_paused) {
            (true, _) => json_line(&resumed),
            (false, true) => spelled_out(&format!("{target} may start again")).into_owned(),
            (false, false) => spelled_out(&format!("{target} was not paused")).into_owned(),
        })?;
        for pause in client.pauses()?.pauses {
            note(&spelled_out(&format!("still, {}", pause.sentence())));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// List what is paused, by whom, since when and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor pauses
  supervisor pauses --json | jq -r '.[].target'")]
pub struct PausesCommand {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl PausesCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let pauses = self.server.client()?.pauses()?.pauses;
        match (self.json, pauses.is_empty()) {
            (true, _) => print_line(&json_line(&pauses))?,
            (false, true) => note("nothing is paused"),
            (false, false) => print(&spelled_out(&table(&pauses)))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(pauses: &[PauseView]) -> String {
    let row = |pause: &PauseView| {
        let PauseView { target, who, why, since } = pause.clone();
        vec![target, human::time(since), who, why.unwrap_or_default()]
    };
    let rows: Vec<Vec<String>> = pauses.iter().map(row).collect();
    human::table(&["PAUSED", "SINCE", "BY", "WHY"], &rows)
}
