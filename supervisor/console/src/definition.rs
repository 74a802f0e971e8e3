//! What the commands that change definitions share: whose a thing is, and what a change came to.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use muster_api::client::{ApiClient, Defined, DefinitionKind};
use muster_api::{ChangeAction, PlanView, PlannedChange};
use muster_protocol::spelled_out;
use serde::Serialize;
use serde_json::value::RawValue;

use super::exit::CommandFailure;
use super::output::{json_line, print, print_line};
use super::server::ServerFlags;

/// Whose a thing is.
#[derive(Clone, Debug, Args)]
pub(crate) struct OwnerFlags {
    /// Of this organization, by its key or id [default: everybody's].
    #[arg(long, value_name = "KEY")]
    pub(crate) organization: Option<String>,
}

/// How a change is made.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChangeFlags {
    /// Only tell what would change.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print what changed as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

impl OwnerFlags {
    pub(crate) fn thing<'a>(&'a self, kind: DefinitionKind, name: &'a str) -> Defined<'a> {
        Defined { kind, name, organization: self.organization.as_deref() }
    }
}

impl ChangeFlags {
    pub(crate) fn client(&self) -> Result<ApiClient, CommandFailure> {
        self.server.client()
    }

    /// Prints what a change came to.
    pub(crate) fn report(&self, plan: &PlanView) -> Result<(), CommandFailure> {
        if self.json { print_line(&json_line(plan)) } else { print(&spelled_out(&plan_text(plan))) }
    }

    /// Removes a thing and prints what came of it.
    pub(crate) fn remove(&self, thing: Defined<'_>) -> Result<(), CommandFailure> {
        self.report(&self.client()?.undefine(thing, self.dry_run)?)
    }
}

/// Prints what is defined under this name, as JSON.
pub(crate) fn print_found<T: Serialize>(
    found: Option<T>,
    kind: &str,
    name: &str,
) -> Result<(), CommandFailure> {
    let missing = || format!("there is no {kind} {name:?}: see `supervisor {kind} list`");
    print_line(&json_line(&found.ok_or_else(|| CommandFailure::other(missing()))?))
}

/// A plan in lines, like a diff.
pub(crate) fn plan_text(plan: &PlanView) -> String {
    let mut text: String = plan.changes.iter().map(change_text).collect();
    let count = |action| plan.changes.iter().filter(|change| change.action == action).count();
    let [created, changed, removed] =
        [ChangeAction::Create, ChangeAction::Change, ChangeAction::Remove].map(count);
    text.push_str(&match (plan.changes.is_empty(), plan.is_applied) {
        (true, _) => "nothing to change\n".to_owned(),
        (false, true) => format!("{created} created, {changed} changed, {removed} removed\n"),
        (false, false) => {
            format!(
                "would be: {created} created, {changed} changed, {removed} removed; nothing was changed\n"
            )
        }
    });
    text
}

/// One change, with a line for each field that is another.
pub(crate) fn change_text(change: &PlannedChange) -> String {
    let sign = match change.action {
        ChangeAction::Create => '+',
        ChangeAction::Change => '~',
        ChangeAction::Remove => '-',
    };
    let owner = change.organization.as_deref().map(|key| format!(" of {key}")).unwrap_or_default();
    let mut text = format!("{sign} {} {}{owner}\n", change.kind, change.name);
    for (field, before, after) in fields(change) {
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        let line = match (before, after) {
            (Some(before), Some(after)) => format!("{} -> {}", before.get(), after.get()),
            (Some(only), None) | (None, Some(only)) => only.get().to_owned(),
            (None, None) => continue,
        };
        text.push_str(&format!("    {field}{line}\n"));
    }
    text
}

type Field<'a> = (String, Option<&'a RawValue>, Option<&'a RawValue>);

/// The fields that differ; an entry of configuration is one value.
fn fields(change: &PlannedChange) -> Vec<Field<'_>> {
    if matches!(change.kind.as_str(), "variable" | "secret") {
        return vec![(String::new(), change.before.as_deref(), change.after.as_deref())];
    }
    differing(change)
}

/// The fields of two objects that differ.
fn differing(change: &PlannedChange) -> Vec<Field<'_>> {
    fn borrowed(side: Option<&RawValue>) -> BTreeMap<String, &RawValue> {
        side.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }
    let (before, after) = (borrowed(change.before.as_deref()), borrowed(change.after.as_deref()));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let pair = |name: &String| (name.clone(), before.get(name).copied(), after.get(name).copied());
    let differs = |(_, before, after): &Field<'_>| before.map(RawValue::get) != after.map(RawValue::get);
    names.into_iter().map(pair).filter(differs).collect()
}
