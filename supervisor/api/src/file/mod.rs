//! The file of definitions: TOML that stands under version control, and the same as values.
//!
//! A table for each kind, and in it one for each thing by its name. Values of configuration are TOML, too; what TOML has no
//! word for, such as null, is written as `{ json = 'null' }`. Secrets are in no file.

mod place;
mod places;
mod render;
mod same;
mod schedule;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use place::{meant, place};
pub use places::Places;
pub use render::render;
pub use same::is_same;

use schedule::ScheduleEntry;

use crate::{
    DefinitionsView, LimitDefinition, OrganizationDefinition, VariableDefinition, WebhookDefinition,
    WorkflowDefinition,
};

/// What stands for everybody's in a file, so no organization may be called so.
pub const GLOBAL: &str = "global";

/// The tables of a file.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DefinitionFile {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    organizations: BTreeMap<String, OrganizationDefinition>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    workflows: BTreeMap<String, WorkflowDefinition>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, LimitDefinition>,
    /// By organization, `global` for everybody's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, BTreeMap<String, toml::Value>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    schedules: BTreeMap<String, ScheduleEntry>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    webhooks: BTreeMap<String, WebhookDefinition>,
}

/// What is wrong with a file, each with its place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct FileProblems(pub Vec<String>);

/// Reads a file; `name` is how problems call it.
///
/// # Errors
/// All that is wrong with it, with the lines.
pub fn parse(name: &str, text: &str) -> Result<(DefinitionsView, Places), FileProblems> {
    let file: DefinitionFile =
        toml::from_str(text).map_err(|error| FileProblems(vec![syntax(name, text, &error)]))?;
    let mut places = Places::of(name, text);
    let mut problems = Vec::new();
    for (kind, table) in toml::from_str::<toml::Table>(text).unwrap_or_default() {
        // Values of configuration are looked at below.
        if kind != "config" {
            value::not_finite(&kind, &table, &mut problems);
        }
    }
    let mut view = DefinitionsView::default();
    for (key, one) in file.organizations {
        if !one.key.is_empty() && one.key != key {
            problems.push(format!(
                "{}: its key is {key}: leave `key` out",
                place("organizations", &key, Some("key"))
            ));
        }
        view.organizations.push(OrganizationDefinition { key, ..one });
    }
    let mut taken = BTreeSet::new();
    for (label, one) in file.workflows {
        let name = if one.name.is_empty() { label.clone() } else { one.name.clone() };
        if !taken.insert((name.clone(), one.organization.clone())) {
            problems.push(format!(
                "{}: another table defines the workflow {name:?} of the same organization",
                place("workflows", &label, None)
            ));
        }
        places.also_called(&place("workflows", &name, None), &place("workflows", &label, None));
        view.workflows.push(WorkflowDefinition { name, ..one });
    }
    for (name, one) in file.limits {
        if !one.name.is_empty() && one.name != name {
            let place = place("limits", &name, Some("name"));
            problems.push(format!("{place}: its name is {name}: leave `name` out"));
        }
        view.limits.push(LimitDefinition { name, ..one });
    }
    for (owner, entries) in file.config {
        for (key, value) in entries {
            match value::json(&value) {
                Ok(value) => {
                    let organization = Some(owner.clone()).filter(|owner| owner != GLOBAL);
                    view.variables.push(VariableDefinition { key, organization, value });
                }
                Err(problem) => {
                    problems.push(format!("{}: {problem}", place(&format!("config.{owner}"), &key, None)));
                }
            }
        }
    }
    for (name, one) in file.schedules {
        match one.into_definition(name.clone()) {
            Ok(schedule) => view.schedules.push(schedule),
            Err(problem) => {
                let place = place("schedules", &name, Some("parameters"));
                if !problems.iter().any(|known| known.starts_with(&place)) {
                    problems.push(format!("{place}: {problem}"));
                }
            }
        }
    }
    for (name, one) in file.webhooks {
        view.webhooks.push(WebhookDefinition { name, ..one });
    }
    if problems.is_empty() {
        return Ok((view, places));
    }
    Err(FileProblems(problems.iter().map(|problem| places.locate(problem)).collect()))
}

/// The integer that this is, when it has more bits than TOML gives one.
fn large_integer(written: &str) -> Option<String> {
    let number = written.trim().replace('_', "");
    let number = number.strip_prefix('+').unwrap_or(&number);
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_integer = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    (is_integer && number.parse::<i64>().is_err()).then(|| number.to_owned())
}

/// What the reader of TOML found, in one line, with the nearest right word.
fn syntax(name: &str, text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(1, |span| places::LineEnds::of(text).line_at(span.start));
    if let Some(number) = error.span().and_then(|span| large_integer(text.get(span)?)) {
        return format!(
            "{name}:{line}: {number} is too large for an integer of TOML: write {{ json = \"{number}\" }}"
        );
    }
    let message = error.message();
    let hint = message.split_once("unknown field `").and_then(|(_, rest)| {
        let (unknown, known) = rest.split_once('`')?;
        let known = known.split('`').skip(1).step_by(2);
        Some(meant(unknown, known))
    });
    format!("{name}:{line}: {message}{}", hint.unwrap_or_default())
}
