//! `supervisor workflow`: what is defined of workflows.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_core::execution::RetryOptions;
use muster_store::{ConcurrencyTerms, LimitKey, OnFull};
use uuid::Uuid;

use super::definition::{ChangeFlags, OwnerFlags};
use super::exit::CommandFailure;
use super::human;
use super::limit::on_full;
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
  supervisor workflow set sync --max-concurrent-per-key 2 --key parameters.customer --limit crm
  supervisor workflow set sync --max-concurrent '' --queue python
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
    /// How long the second attempt waits.
    #[arg(long, value_name = "SECONDS")]
    backoff: Option<f64>,
    /// By how much each further wait is longer.
    #[arg(long, value_name = "FACTOR")]
    backoff_factor: Option<f64>,
    /// No wait is longer.
    #[arg(long, value_name = "SECONDS")]
    backoff_max: Option<f64>,
    /// An error type that another attempt may help; all of them by flags of their own; empty: all there are.
    #[arg(long, value_name = "ERROR_TYPE")]
    retry_on: Vec<String>,
    /// An error type that no other attempt helps; empty: none.
    #[arg(long, value_name = "ERROR_TYPE")]
    give_up_on: Vec<String>,
    /// How many may run at once in the whole fleet; "": what the code declares.
    #[arg(long, value_name = "N", value_parser = NumberOrNothing::read)]
    max_concurrent: Option<NumberOrNothing>,
    /// How many may run at once for one key.
    #[arg(long, value_name = "N", value_parser = NumberOrNothing::read)]
    max_concurrent_per_key: Option<NumberOrNothing>,
    /// What that counts by: organization, workflow, caller, or parameters.NAME.
    #[arg(long, value_name = "KEY")]
    key: Option<LimitKey>,
    /// What happens to one that comes when so many run, as with a limit.
    #[arg(long, value_name = "WHAT", value_parser = on_full())]
    on_full: Option<OnFull>,
    /// A limit that it shares with others, by name; all of them by flags of their own; empty: none.
    #[arg(long = "limit", value_name = "NAME")]
    limits: Vec<String>,
    /// The queue its executions wait in that do not say; empty: what the code declares.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
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
        let (retry, concurrency) = (self.retry(&known), self.concurrency(&known));
        let limits = Some(names(&self.limits)).filter(|_| !self.limits.is_empty());
        let wanted = WorkflowDefinition {
            retry,
            concurrency,
            limits: limits.or_else(|| known.limits.clone()),
            queue: self.queue.clone().or_else(|| known.queue.clone()),
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

    /// What is said of further attempts from then on.
    fn retry(&self, known: &WorkflowDefinition) -> Option<RetryOptions> {
        let said = |names_of: &[String]| Some(names(names_of)).filter(|_| !names_of.is_empty());
        let said = RetryOptions {
            max_attempts: None,
            backoff_seconds: self.backoff,
            backoff_factor: self.backoff_factor,
            backoff_max_seconds: self.backoff_max,
            jitter: None,
            retry_on: said(&self.retry_on),
            give_up_on: said(&self.give_up_on),
        };
        let all = said.or(known.retry.clone().unwrap_or_default());
        let filled = |names: Option<Vec<String>>| names.filter(|names| !names.is_empty());
        let (retry_on, give_up_on) = (filled(all.retry_on.clone()), filled(all.give_up_on.clone()));
        Some(RetryOptions { retry_on, give_up_on, ..all }).filter(|all| !all.is_empty())
    }

    /// How many may run at once from then on.
    fn concurrency(&self, known: &WorkflowDefinition) -> Option<ConcurrencyTerms> {
        let before = known.concurrency.clone().unwrap_or_default();
        let said = |flag: Option<NumberOrNothing>, before| flag.map_or(before, |flag| flag.0);
        let after = ConcurrencyTerms {
            total: said(self.max_concurrent, before.total),
            per_key: said(self.max_concurrent_per_key, before.per_key),
            key: self.key.clone().unwrap_or(before.key),
            on_full: self.on_full.unwrap_or(before.on_full),
        };
        // A key alone is refused with what is missing.
        let says_key = self.key.is_some() || self.on_full.is_some();
        Some(after).filter(|after| after.says_something() || says_key)
    }
}

/// A number, or the empty text for none.
#[derive(Clone, Copy, Debug)]
struct NumberOrNothing(Option<u32>);

impl NumberOrNothing {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse()
            .map(|number| Self(Some(number)))
            .map_err(|_| "must be a whole number, or empty".to_owned())
    }
}

/// The names that flags give: one that is empty gives none.
fn names(flags: &[String]) -> Vec<String> {
    flags.iter().filter(|name| !name.is_empty()).cloned().collect()
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
