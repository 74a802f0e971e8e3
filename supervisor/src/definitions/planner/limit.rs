//! Limits with a name. Workflows' own follow from what is said of the workflows.

use jiff::Timestamp;
use muster_core::execution::check;
use muster_store::{DefinitionWrite, LimitRecord};

use super::{EditSubject, Planner};
use crate::api::LimitDefinition;
use crate::definitions::problem::meant;
use crate::definitions::view::{limit, text};

pub(super) const KIND: &str = "limit";
const SECTION: &str = "limits";
/// Who says so of a limit that somebody set.
pub(crate) const SET: &str = "set";
/// What the names of workflows' own limits have in them.
const OWN: char = '/';

impl Planner {
    pub(super) fn set_limit(&mut self, wanted: &LimitDefinition) {
        let subject = EditSubject { section: SECTION, name: &wanted.name };
        if let Err(message) = check::limit_name(&wanted.name) {
            let own =
                if wanted.name.contains(OWN) { "; set that of a workflow with the workflow" } else { "" };
            return self.refuse(subject, None, format!("the name {message}{own}"));
        }
        let terms = wanted.terms();
        let problems = terms.problems();
        if !problems.is_empty() {
            return self.refuse(subject, None, problems.join("; "));
        }
        let found = self.definitions.limits.iter().find(|row| row.name == wanted.name).cloned();
        let before = found.as_ref().map(|row| text(&limit(row)));
        let after = Some(text(wanted));
        if before == after {
            return;
        }
        self.definitions.limits.retain(|other| other.name != wanted.name);
        self.definitions.limits.push(LimitRecord {
            name: wanted.name.clone(),
            terms: terms.clone(),
            origin: SET.to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        });
        let write = DefinitionWrite::PutLimit { name: wanted.name.clone(), terms };
        self.push((KIND, &wanted.name), None, (before, after), write);
    }

    pub(super) fn remove_limit(&mut self, name: &str) {
        let subject = EditSubject { section: SECTION, name };
        let Some(found) = self.definitions.limits.iter().find(|row| row.name == name).cloned() else {
            let names = self.definitions.limits.iter().map(|row| row.name.as_str());
            let message = format!("there is no such limit{}", meant(name, names));
            return self.not_found(subject, message);
        };
        if found.origin != SET {
            let message = "is a workflow's own: change what is defined of the workflow, or its code";
            return self.refuse(subject, None, message);
        }
        let names_it = |limits: &Option<Vec<String>>| limits.iter().flatten().any(|limit| limit == name);
        let by: Vec<&str> = (self.definitions.workflows.iter())
            .filter(|row| names_it(&row.admission.limits))
            .map(|row| row.name.as_str())
            .collect();
        if !by.is_empty() {
            let message = format!("is named by the workflow {}: take it out there first", by.join(", "));
            return self.refuse(subject, None, message);
        }
        self.definitions.limits.retain(|row| row.name != name);
        let write = DefinitionWrite::RemoveLimit(name.to_owned());
        self.push((KIND, name), None, (Some(text(&limit(&found))), None), write);
    }

    /// Limits that are set, each by its name; else the nearest one.
    pub(super) fn check_limits(&self, names: &[String]) -> Result<(), String> {
        check::limit_names(names)?;
        let known = || self.definitions.limits.iter().filter(|row| row.origin == SET);
        match names.iter().find(|name| !known().any(|row| row.name == **name)) {
            None => Ok(()),
            Some(name) => {
                let hint = meant(name, known().map(|row| row.name.as_str()));
                Err(format!(
                    "there is no limit {name:?}{hint} (`supervisor limit list` shows them, `supervisor limit set \
                     {name}` makes one)"
                ))
            }
        }
    }
}
