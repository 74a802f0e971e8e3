//! Organizations.

use std::ops::RangeInclusive;

use muster_core::execution::check;
use muster_store::{DefinitionWrite, OrganizationRecord};

use super::{EditSubject, Planner, derived_id, id_for};
use crate::api::OrganizationDefinition;
use crate::definitions::organizations::{check_key, key_of};
use crate::definitions::shelf::Mark;
use crate::definitions::view::{organization, text};

pub(super) const KIND: &str = "organization";
const SECTION: &str = "organizations";
/// Weights that claims tell apart: a larger ratio would be the same as to stop the other.
const WEIGHTS: RangeInclusive<f64> = 0.001..=1000.0;

impl Planner {
    pub(super) fn set_organization(&mut self, wanted: &OrganizationDefinition) {
        let subject = EditSubject { section: SECTION, name: &wanted.key };
        let found = self.organizations.find(&wanted.key).cloned();
        // One that was written by hand goes by its id or name until it is given a key.
        let by_id = found.as_ref().is_some_and(|found| wanted.key.parse() == Ok(found.id));
        if !by_id && let Err(message) = check_key(&wanted.key) {
            return self.refuse(subject, None, message);
        }
        let name = wanted.name.clone().unwrap_or_else(|| wanted.key.clone());
        self.check(subject, "name", check::name(&name));
        if let Some(weight) = wanted.weight.filter(|weight| !WEIGHTS.contains(weight)) {
            let message =
                format!("{weight} is no weight: it is from {} to {}", WEIGHTS.start(), WEIGHTS.end());
            return self.refuse(subject, Some("weight"), message);
        }
        let derived = derived_id(KIND, None, &wanted.key);
        let id = match id_for(wanted.id, found.as_ref().map(|found| found.id), derived) {
            Ok(id) => id,
            Err(message) => return self.refuse(subject, Some("id"), message),
        };
        if let Some(other) = self.organizations.get(&id)
            && found.as_ref().is_none_or(|found| found.id != id)
        {
            let message = format!("{id} is that of the organization {}", key_of(other));
            return self.refuse(subject, Some("id"), message);
        }
        let key =
            if by_id { found.as_ref().and_then(|found| found.key.clone()) } else { Some(wanted.key.clone()) };
        let row = OrganizationRecord { id, key, name, weight: wanted.weight, is_active: wanted.is_active };
        if found.as_ref() == Some(&row) {
            return;
        }
        let (before, after) = (found.as_ref().map(|row| text(&organization(row))), text(&organization(&row)));
        self.organizations.put(row.clone());
        let called = key_of(&row);
        self.push((KIND, &called), None, (before, Some(after)), DefinitionWrite::PutOrganization(row));
    }

    pub(super) fn remove_organization(&mut self, called: &str) {
        let subject = EditSubject { section: SECTION, name: called };
        let Some(found) = self.organizations.find(called).cloned() else {
            let hint = self.organizations.meant(called);
            return self.not_found(subject, format!("there is no organization {called:?}{hint}"));
        };
        let its = Mark::Owner(found.id);
        let (schedules, workflows) =
            (self.schedules.marked(&its).count(), self.workflows.marked(&its).count());
        let (secrets, variables): (Vec<_>, Vec<_>) = self.config.marked(&its).partition(|row| row.is_secret);
        let held: Vec<String> = [
            (workflows, "workflow"),
            (variables.len(), "variable"),
            (secrets.len(), "secret"),
            (schedules, "schedule"),
            (self.bound_tokens.iter().filter(|bound| **bound == found.id).count(), "token"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }))
        .collect();
        if !held.is_empty() {
            let message = format!(
                "still has {}: remove them first, or keep it and set is_active to false",
                held.join(", ")
            );
            return self.refuse(subject, None, message);
        }
        self.organizations.remove(&found.id);
        let before = text(&organization(&found));
        let key = key_of(&found);
        self.push((KIND, &key), None, (Some(before), None), DefinitionWrite::RemoveOrganization(found.id));
    }
}
