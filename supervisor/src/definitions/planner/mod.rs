//! What to write so that everything is as it is wanted: wishes are taken in their order, each sees what those before it
//! left.

mod config;
mod limit;
mod organization;
mod schedule;
mod webhook;
mod workflow;

use muster_store::{
    ConfigRecord, DefinitionChange, DefinitionWrite, Definitions, LimitRecord, ScheduleRecord, WebhookRecord,
    WorkflowRecord,
};
use uuid::Uuid;

pub(super) use limit::SET;
use muster_api::file::place;

use super::edits::DefinitionEdit;
use super::organizations::{OrganizationShelf, organizations_of};
use super::problem::{DefinitionProblem, ProblemKind};
use super::shelf::Shelf;

/// The namespace of the ids of what is defined without one.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d75_7374_6572_5000_8000_6465_6669_6e65);

/// The rows to write, in their order; none when everything is as it is wanted.
///
/// # Errors
/// All that is wrong with what is wanted.
pub fn plan(
    definitions: &Definitions,
    edits: &[DefinitionEdit],
) -> Result<Vec<DefinitionChange>, Vec<DefinitionProblem>> {
    let planner = planned(definitions, edits);
    if planner.problems.is_empty() { Ok(planner.changes) } else { Err(planner.problems) }
}

fn planned(definitions: &Definitions, edits: &[DefinitionEdit]) -> Planner {
    let mut planner = Planner {
        organizations: organizations_of(definitions),
        workflows: Shelf::of(definitions.workflows.iter().cloned()),
        config: Shelf::of(definitions.config.iter().cloned()),
        schedules: Shelf::of(definitions.schedules.iter().cloned()),
        webhooks: Shelf::of(definitions.webhooks.iter().cloned()),
        limits: Shelf::of(definitions.limits.iter().cloned()),
        bound_tokens: definitions.tokens.iter().filter_map(|token| token.organization_id).collect(),
        changes: Vec::new(),
        problems: Vec::new(),
    };
    for edit in edits {
        planner.take(edit);
    }
    planner
}

/// How many rows were read for a plan.
#[cfg(test)]
pub(super) fn rows_read(definitions: &Definitions, edits: &[DefinitionEdit]) -> usize {
    let Planner { organizations, workflows, config, schedules, webhooks, limits, .. } =
        planned(definitions, edits);
    let named = schedules.read() + webhooks.read() + limits.read();
    organizations.read() + workflows.read() + config.read() + named
}

/// The definitions as they would be, and what leads there.
struct Planner {
    organizations: OrganizationShelf,
    workflows: Shelf<WorkflowRecord>,
    config: Shelf<ConfigRecord>,
    schedules: Shelf<ScheduleRecord>,
    webhooks: Shelf<WebhookRecord>,
    limits: Shelf<LimitRecord>,
    /// The organization of each token that is bound to one.
    bound_tokens: Vec<Uuid>,
    changes: Vec<DefinitionChange>,
    problems: Vec<DefinitionProblem>,
}

/// A thing that is wanted or not: where problems of it are told.
#[derive(Clone, Copy)]
struct EditSubject<'a> {
    /// The section of a file that it is in.
    section: &'a str,
    /// Its name in the section.
    name: &'a str,
}

impl Planner {
    fn take(&mut self, edit: &DefinitionEdit) {
        match edit {
            DefinitionEdit::SetOrganization(wanted) => self.set_organization(wanted),
            DefinitionEdit::RemoveOrganization { key } => self.remove_organization(key),
            DefinitionEdit::SetWorkflow(wanted) => self.set_workflow(wanted),
            DefinitionEdit::RemoveWorkflow { name, organization } => {
                self.remove_workflow(name, organization.as_deref());
            }
            DefinitionEdit::SetVariable(wanted) => {
                self.set_config(&wanted.key, wanted.organization.as_deref(), &wanted.value, false);
            }
            DefinitionEdit::SetSecret { key, organization, value } => {
                self.set_config(key, organization.as_deref(), value, true);
            }
            DefinitionEdit::SetSchedule(wanted) => self.set_schedule(wanted),
            DefinitionEdit::PauseSchedule { name, is_paused } => self.pause_schedule(name, *is_paused),
            DefinitionEdit::RemoveSchedule { name } => self.remove_schedule(name),
            DefinitionEdit::SetWebhook(wanted) => self.set_webhook(wanted),
            DefinitionEdit::PauseWebhook { name, is_paused } => self.pause_webhook(name, *is_paused),
            DefinitionEdit::RemoveWebhook { name } => self.remove_webhook(name),
            DefinitionEdit::SetLimit(wanted) => self.set_limit(wanted),
            DefinitionEdit::RemoveLimit { name } => self.remove_limit(name),
            DefinitionEdit::RemoveVariable { key, organization } => {
                self.remove_config(key, organization.as_deref(), false);
            }
            DefinitionEdit::RemoveSecret { key, organization } => {
                self.remove_config(key, organization.as_deref(), true);
            }
        }
    }

    fn refuse(&mut self, subject: EditSubject<'_>, field: Option<&str>, message: impl Into<String>) {
        let place = place(subject.section, subject.name, field);
        let (message, kind) = (message.into(), ProblemKind::Invalid);
        self.problems.push(DefinitionProblem { place, message, kind });
    }

    /// Notes what a check of a field gave; true when nothing is wrong.
    fn check(&mut self, subject: EditSubject<'_>, field: &str, checked: Result<(), String>) -> bool {
        match checked {
            Ok(()) => true,
            Err(message) => {
                self.refuse(subject, Some(field), message);
                false
            }
        }
    }

    fn not_found(&mut self, subject: EditSubject<'_>, message: String) {
        let place = place(subject.section, subject.name, None);
        self.problems.push(DefinitionProblem { place, message, kind: ProblemKind::NotFound });
    }

    /// The id of whoever owns a thing; `None` and a note when there is no such organization.
    fn owner(&mut self, subject: EditSubject<'_>, organization: Option<&str>) -> Option<Option<Uuid>> {
        let Some(called) = organization else { return Some(None) };
        match self.organizations.id_of(called) {
            Ok(id) => Some(Some(id)),
            Err(message) => {
                self.refuse(subject, Some("organization"), message);
                None
            }
        }
    }

    fn push(
        &mut self,
        (kind, name): (&'static str, &str),
        owner: Option<Uuid>,
        (before, after): (Option<String>, Option<String>),
        write: DefinitionWrite,
    ) {
        let organization = self.organizations.key_of_id(owner);
        self.changes.push(DefinitionChange {
            write,
            kind,
            name: name.to_owned(),
            organization,
            before,
            after,
        });
    }
}

/// The id of a new thing: the same wherever the same is defined.
fn derived_id(kind: &str, owner: Option<Uuid>, name: &str) -> Uuid {
    let owner = owner.map(|id| id.to_string()).unwrap_or_default();
    Uuid::new_v5(&NAMESPACE, format!("{kind}\n{owner}\n{name}").as_bytes())
}

/// The id that an organization has when none is given.
pub(super) fn organization_id(key: &str) -> Uuid {
    derived_id(organization::KIND, None, key)
}

/// The id that a schedule has when none is given.
pub(super) fn schedule_id(name: &str) -> Uuid {
    derived_id(schedule::KIND, None, name)
}

/// The id that a webhook has when none is given.
pub(super) fn webhook_id(name: &str) -> Uuid {
    derived_id(webhook::KIND, None, name)
}

/// The id that a workflow has when none is given.
pub(super) fn workflow_id(owner: Option<Uuid>, name: &str) -> Uuid {
    derived_id(workflow::KIND, owner, name)
}

/// The id that is wanted for a thing, against the one it has.
fn id_for(wanted: Option<Uuid>, has: Option<Uuid>, derived: Uuid) -> Result<Uuid, String> {
    match (wanted, has) {
        (Some(wanted), Some(has)) if wanted != has => Err(format!(
            "is {has} and cannot be changed, because executions name it: leave it out, or remove this and make it anew"
        )),
        (_, Some(has)) => Ok(has),
        (wanted, None) => Ok(wanted.unwrap_or(derived)),
    }
}
