//! `supervisor workflow set`: what is said changes, the rest stays as it is.

use std::str::FromStr;

use clap::Args;
use muster_api::WorkflowDefinition;
use muster_api::client::DefinitionKind;
use muster_core::execution::RetryOptions;
use muster_core::limit::{ConcurrencyTerms, LimitKey, OnFull};
use uuid::Uuid;

use crate::definition::{ChangeFlags, OwnerFlags};
use crate::exit::CommandFailure;
use crate::finite::finite;
use crate::limit::on_full;

/// What `set` may say.
#[derive(Debug, Args)]
pub(super) struct WorkflowFlags {
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
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    timeout: Option<f64>,
    /// How many attempts there may be, the first included.
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// How long the second attempt waits.
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    backoff: Option<f64>,
    /// By how much each further wait is longer.
    #[arg(long, value_name = "FACTOR", value_parser = finite)]
    backoff_factor: Option<f64>,
    /// No wait is longer.
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    backoff_max: Option<f64>,
    /// An error type that another attempt may help; all of them by flags of their own; empty: all there are.
    #[arg(long, value_name = "ERROR_TYPE")]
    retry_on: Vec<String>,
    /// An error type that no other attempt helps; empty: none.
    #[arg(long, value_name = "ERROR_TYPE")]
    give_up_on: Vec<String>,
    /// How many may run at once in the whole fleet; "": what the code declares.
    #[arg(long, value_name = "N", value_parser = number)]
    max_concurrent: Option<OrNothing<u32>>,
    /// How many may run at once for one key.
    #[arg(long, value_name = "N", value_parser = number)]
    max_concurrent_per_key: Option<OrNothing<u32>>,
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
    /// The webhook that is told what its executions came to, by name; empty: none but those that are told of all.
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
    /// After how many days its executions that ended are removed; 0: never; "": as the settings say.
    #[arg(long, value_name = "DAYS", value_parser = days)]
    retention_days: Option<OrNothing<f64>>,
    /// The same for those that failed or took too long; "": as the others.
    #[arg(long, value_name = "DAYS", value_parser = days)]
    retention_failed_days: Option<OrNothing<f64>>,
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

impl WorkflowFlags {
    pub(super) fn run(self) -> Result<(), CommandFailure> {
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
            webhook: self.webhook.clone().or_else(|| known.webhook.clone()),
            retention_days: said(self.retention_days, known.retention_days),
            retention_failed_days: said(self.retention_failed_days, known.retention_failed_days),
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

/// What a flag says, or what was so before.
fn said<T>(flag: Option<OrNothing<T>>, before: Option<T>) -> Option<T> {
    flag.map_or(before, |flag| flag.0)
}

/// A value, or the empty text for none.
#[derive(Clone, Copy, Debug)]
struct OrNothing<T>(Option<T>);

impl<T: FromStr> OrNothing<T> {
    fn read(text: &str, what: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|value| Self(Some(value))).map_err(|_| format!("must be {what}, or empty"))
    }
}

fn number(text: &str) -> Result<OrNothing<u32>, String> {
    OrNothing::read(text, "a whole number")
}

fn days(text: &str) -> Result<OrNothing<f64>, String> {
    if !text.is_empty() {
        finite(text)?;
    }
    OrNothing::read(text, "a number of days")
}

/// The names that flags give: one that is empty gives none.
fn names(flags: &[String]) -> Vec<String> {
    flags.iter().filter(|name| !name.is_empty()).cloned().collect()
}
