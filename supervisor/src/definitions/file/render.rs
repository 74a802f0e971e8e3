//! Writing the file.

use std::collections::BTreeMap;

use super::schedule::ScheduleEntry;
use super::{DefinitionFile, GLOBAL, value};
use crate::api::{
    DefinitionsView, LimitDefinition, OrganizationDefinition, WebhookDefinition, WorkflowDefinition,
};

const HEADER: &str =
    "# What is defined, as `supervisor export` found it. Change it and run `supervisor apply` with it.
# Secrets are not in it: `supervisor secret set KEY`.
";

/// The file that defines all this.
///
/// # Errors
/// When something in it has no form in TOML.
pub fn render(view: &DefinitionsView) -> Result<String, toml::ser::Error> {
    let mut file = DefinitionFile::default();
    for one in &view.organizations {
        let entry = OrganizationDefinition { key: String::new(), ..one.clone() };
        file.organizations.insert(one.key.clone(), entry);
    }
    for one in &view.workflows {
        let label = label(view, one);
        let name = if label == one.name { String::new() } else { one.name.clone() };
        file.workflows.insert(label, WorkflowDefinition { name, ..one.clone() });
    }
    for one in &view.limits {
        let entry = LimitDefinition { name: String::new(), ..one.clone() };
        file.limits.insert(one.name.clone(), entry);
    }
    for one in &view.variables {
        let owner = one.organization.clone().unwrap_or_else(|| GLOBAL.to_owned());
        let entries: &mut BTreeMap<String, toml::Value> = file.config.entry(owner).or_default();
        entries.insert(one.key.clone(), value::toml(&one.value));
    }
    for one in &view.schedules {
        file.schedules.insert(one.name.clone(), ScheduleEntry::of(one));
    }
    for one in &view.webhooks {
        let entry = WebhookDefinition { name: String::new(), ..one.clone() };
        file.webhooks.insert(one.name.clone(), entry);
    }
    Ok(format!("{HEADER}\n{}", toml::to_string_pretty(&file)?))
}

/// The name of a workflow's table: its own, unless that of several organizations is the same.
fn label(view: &DefinitionsView, one: &WorkflowDefinition) -> String {
    let same = view.workflows.iter().filter(|other| other.name == one.name).count();
    match &one.organization {
        Some(organization) if same > 1 => {
            let mut label = format!("{organization}:{}", one.name);
            while view.workflows.iter().any(|other| other.name == label) {
                label.insert(0, ':');
            }
            label
        }
        Some(_) | None => one.name.clone(),
    }
}
