//! Limits with a name. Workflows' own follow from what is said of the workflows.

use jiff::Timestamp;
use muster_api::file::meant;
use muster_core::execution::check;
use muster_store::{DefinitionWrite, LimitRecord};

use super::{EditSubject, Planner};
use crate::api::LimitDefinition;
use crate::definitions::shelf::Mark;
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
        let found = self.limits.get(&wanted.name).cloned();
        let before = found.as_ref().map(|row| text(&limit(row)));
        let after = Some(text(wanted));
        if before == after {
            return;
        }
        self.limits.put(LimitRecord {
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
        let Some(found) = self.limits.get(&name.to_owned()).cloned() else {
            let names = self.limits.all().map(|row| row.name.as_str());
            let message = format!("there is no such limit{}", meant(name, names));
            return self.not_found(subject, message);
        };
        if found.origin != SET {
            let message = "is a workflow's own: change what is defined of the workflow, or its code";
            return self.refuse(subject, None, message);
        }
        let mark = Mark::Limit(name.to_owned());
        let by: Vec<&str> = self.workflows.marked(&mark).map(|row| row.name.as_str()).collect();
        if !by.is_empty() {
            let message = format!("is named by the workflow {}: take it out there first", by.join(", "));
            return self.refuse(subject, None, message);
        }
        self.limits.remove(&name.to_owned());
        let write = DefinitionWrite::RemoveLimit(name.to_owned());
        self.push((KIND, name), None, (Some(text(&limit(&found))), None), write);
    }

    /// Limits that are set, each by its name; else the nearest one.
    pub(super) fn check_limits(&self, names: &[String]) -> Result<(), String> {
        check::limit_names(names)?;
        let is_set = |row: &&LimitRecord| row.origin == SET;
        match names.iter().find(|name| self.limits.get(name).filter(is_set).is_none()) {
            None => Ok(()),
            Some(name) => {
                let hint = meant(name, self.limits.all().filter(is_set).map(|row| row.name.as_str()));
                Err(format!(
                    "there is no limit {name:?}{hint} (`supervisor limit list` shows them, `supervisor limit set \
                     {name}` makes one)"
                ))
            }
        }
    }
}
