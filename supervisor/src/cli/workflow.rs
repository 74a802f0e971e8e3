//! `supervisor workflow`: what is defined of workflows.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::definition::{ChangeFlags, OwnerFlags};
use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, print_line, print_table};
use super::server::ServerFlags;
use crate::api::{WorkflowDefinition, WorkflowView, WorkflowsView};
use crate::client::DefinitionKind;

/// Define workflows: their code, limits and retries.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor workflow list
  supervisor workflow set billing/invoice --path billing/invoice.py --function run --timeout 60
  supervisor workflow show billing/invoice
  supervisor workflow remove billing/invoice")]
pub(crate) struct WorkflowCommand {
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
  supervisor workflow set report --path '' --function ''        the worker looks its name up again")]
    Set(Box<SetFlags>),
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

/// What `set` may say.
#[derive(Debug, Args)]
struct SetFlags {
    /// Which workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// Its file below the workflows folder; empty: the worker looks its name up.
    #[arg(long, value_name = "FILE")]
    path: Option<String>,
    /// The function in the file; empty: the default one.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// The language of the code; empty: the worker's own.
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// The time limit of a run, in seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// How many attempts there may be, the first included.
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Whether it counts; false: as if it were not defined.
    #[arg(long, value_name = "BOOL")]
    active: Option<bool>,
    /// The id of a new one [default: made of its name, the same in every database].
    #[arg(long, value_name = "ID")]
    id: Option<Uuid>,
    #[command(flatten)]
    owner: OwnerFlags,
    #[command(flatten)]
    change: ChangeFlags,
}

impl WorkflowCommand {
    pub(crate) fn run(self) -> Result<ExitCode, CommandFailure> {
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

impl SetFlags {
    fn run(self) -> Result<(), CommandFailure> {
        let client = self.change.client()?;
        let thing = self.owner.thing(DefinitionKind::Workflow, &self.name);
        let known: Option<WorkflowDefinition> = client.defined(thing)?;
        let known = known.unwrap_or_else(|| WorkflowDefinition::named(&self.name));
        let wanted = WorkflowDefinition {
            id: self.id.or(known.id),
            path: self.path.clone().or(known.path),
            function: self.function.clone().or(known.function),
            language: self.language.clone().or(known.language),
            timeout_seconds: self.timeout.or(known.timeout_seconds),
            max_attempts: self.max_attempts.or(known.max_attempts),
            is_active: self.active.unwrap_or(known.is_active),
            ..known
        };
        self.change.report(&client.define(thing, &wanted, self.change.dry_run)?)
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
    let header = ["NAME", "ORGANIZATION", "FROM", "TIMEOUT", "ATTEMPTS", "ACTIVE"];
    print_table(&header, &rows, "no workflow is defined, and the code declares none")
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
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
        "yes".to_owned(),
    ]
}
