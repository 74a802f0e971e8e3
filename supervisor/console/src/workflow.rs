//! `supervisor workflow`: what is defined of workflows.

mod set;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::DefinitionKind;
use muster_api::{WorkflowDefinition, WorkflowView, WorkflowsView};
use muster_core::limit::LimitKey;

use set::WorkflowFlags;

use super::definition::{ChangeFlags, OwnerFlags};
use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, print_line, print_table};
use super::server::ServerFlags;

/// Define workflows: their code, limits and retries.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor workflow list
  supervisor workflow set billing/invoice --path billing/invoice.py --function run --timeout 60
  supervisor workflow show billing/invoice
  supervisor workflow remove billing/invoice")]
pub struct WorkflowCommand {
    #[command(subcommand)]
    action: WorkflowAction,
}

#[derive(Debug, Subcommand)]
enum WorkflowAction {
    /// List the workflows that are defined, and those that the code declares.
    #[command(after_help = "Examples:
  supervisor workflow list
  supervisor workflow list --json | jq -r '.defined[].name'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show what is defined of one workflow, as JSON.
    #[command(after_help = "Examples:
  supervisor workflow show billing/invoice
  supervisor workflow show billing/invoice --organization acme")]
    Show {
        /// Which workflow.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Define a workflow, or change what is defined of it: what is not said stays as it is.
    #[command(after_help = "Examples:
  supervisor workflow set report --timeout 600 --max-attempts 3
  supervisor workflow set billing/invoice --path billing/invoice.py --function run
  supervisor workflow set billing/invoice --organization acme --timeout 20
  supervisor workflow set sync --max-concurrent-per-key 2 --key parameters.customer --limit crm
  supervisor workflow set sync --max-concurrent '' --queue python
  supervisor workflow set billing/invoice --webhook ops --retention-days 365
  supervisor workflow set report --path '' --function ''        the worker looks its name up again")]
    Set(Box<WorkflowFlags>),
    /// Remove what is defined of a workflow. Its code stays where it is.
    #[command(after_help = "Examples:
  supervisor workflow remove billing/invoice
  supervisor workflow remove billing/invoice --organization acme --dry-run")]
    Remove {
        /// Which workflow.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        owner: OwnerFlags,
        #[command(flatten)]
        change: ChangeFlags,
    },
}

impl WorkflowCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            WorkflowAction::List { json, server } => list(json, &server)?,
            WorkflowAction::Show { name, owner, server } => {
                let found = server.client()?.defined(owner.thing(DefinitionKind::Workflow, &name))?;
                let found: WorkflowDefinition = found.ok_or_else(|| {
                    CommandFailure::other(format!(
                        "no workflow {name:?} is defined: see `supervisor workflow list`"
                    ))
                })?;
                print_line(&json_line(&found))?;
            }
            WorkflowAction::Set(flags) => flags.run()?,
            WorkflowAction::Remove { name, owner, change } => {
                change.remove(owner.thing(DefinitionKind::Workflow, &name))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: WorkflowsView = server.client()?.all_defined(DefinitionKind::Workflow)?;
    if json {
        return print_line(&json_line(&all));
    }
    let declared = all.workflows.iter().filter(|one| !all.defined.iter().any(|known| known.name == one.name));
    let rows: Vec<Vec<String>> =
        all.defined.iter().map(defined_row).chain(declared.map(declared_row)).collect();
    let header = ["NAME", "ORGANIZATION", "FROM", "TIMEOUT", "ATTEMPTS", "AT ONCE", "QUEUE", "ACTIVE"];
    print_table(&header, &rows, "no workflow is defined, and the code declares none")
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// How many run at once, in words.
fn at_once(concurrency: Option<(Option<u32>, Option<u32>, String)>) -> String {
    let Some((total, per_key, key)) = concurrency else { return "-".to_owned() };
    let key = if key.is_empty() { LimitKey::default().to_string() } else { key };
    let per_key = per_key.map(|most| format!("{most} per {key}"));
    let words: Vec<String> = total.map(|most| most.to_string()).into_iter().chain(per_key).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

fn defined_row(one: &WorkflowDefinition) -> Vec<String> {
    let from = match (&one.path, &one.function) {
        (Some(path), Some(function)) => format!("{path}:{function}"),
        (Some(path), None) => path.clone(),
        (None, _) => "its name".to_owned(),
    };
    vec![
        one.name.clone(),
        or_dash(one.organization.clone()),
        from,
        or_dash(one.timeout_seconds.map(human::seconds)),
        or_dash(one.max_attempts),
        at_once(one.concurrency.as_ref().map(|it| (it.total, it.per_key, it.key.to_string()))),
        or_dash(one.queue.clone()),
        if one.is_active { "yes" } else { "no" }.to_owned(),
    ]
}

fn declared_row(one: &WorkflowView) -> Vec<String> {
    vec![
        one.name.clone(),
        or_dash(None::<String>),
        format!("code: {}", one.source_file),
        or_dash(one.timeout_seconds.map(human::seconds)),
        or_dash(one.max_attempts),
        at_once(Some((one.max_concurrent, one.max_concurrent_per_key, one.key.clone()))),
        or_dash(Some(one.queue.clone()).filter(|queue| !queue.is_empty())),
        "yes".to_owned(),
    ]
}
