//! Writing the file.

use std::collections::{BTreeMap, HashMap};

use super::schedule::ScheduleEntry;
use super::{DefinitionFile, GLOBAL, value};
use crate::{
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
    let labels = Labels::of(view);
    for one in &view.workflows {
        let label = labels.label(one);
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

/// The names of the tables of workflows: their own, unless those of several organizations are the same.
struct Labels<'a> {
    counts: HashMap<&'a str, usize>,
}

impl<'a> Labels<'a> {
    fn of(view: &'a DefinitionsView) -> Self {
        let mut counts = HashMap::new();
        for one in &view.workflows {
            *counts.entry(one.name.as_str()).or_default() += 1;
        }
        Self { counts }
    }

    fn label(&self, one: &WorkflowDefinition) -> String {
        let same = self.counts.get(one.name.as_str()).copied().unwrap_or_default();
        match &one.organization {
            Some(organization) if same > 1 => {
                let mut label = format!("{organization}:{}", one.name);
                while self.counts.contains_key(label.as_str()) {
                    label.insert(0, ':');
                }
                label
            }
            Some(_) | None => one.name.clone(),
        }
    }
}
