//! All that is defined at once: as one wish, and as one answer.

use std::collections::BTreeSet;

use muster_store::Definitions;

use super::edits::DefinitionEdit;
use super::organizations::{key_of, organizations_of};
use super::planner::{SET, organization_id, schedule_id, webhook_id, workflow_id};
use super::view::{limit, organizations, schedule, variables, webhooks, workflows};
use crate::api::{
    DefinitionsView, OrganizationDefinition, ScheduleDefinition, WebhookDefinition, WorkflowDefinition,
};
use crate::schedules::{MISSED_SECONDS, MissedWord, OverlapWord, UTC};

/// What somebody wants to change.
#[derive(Debug)]
pub enum DefinitionWish {
    /// These things, and no others.
    Edits(Vec<DefinitionEdit>),
    /// This one, while the definitions are at the version by which whoever wants it was found to be allowed to.
    AllowedAt {
        /// The version.
        version: i64,
        /// The change.
        edit: DefinitionEdit,
    },
    /// Everything that is named here; with `prune` nothing else.
    Whole {
        /// What is to be there.
        wanted: DefinitionsView,
        /// Whether what is not named is removed. Secrets are never named, and never removed.
        prune: bool,
    },
}

impl DefinitionWish {
    /// False when it was allowed by definitions that have changed since.
    pub(super) fn is_allowed_by(&self, definitions: &Definitions) -> bool {
        match self {
            Self::AllowedAt { version, edit: _ } => *version == definitions.version,
            Self::Edits(_) | Self::Whole { .. } => true,
        }
    }

    /// The wish, one thing after the other: what others refer to is made first and removed last.
    pub(super) fn edits(&self, definitions: &Definitions) -> Vec<DefinitionEdit> {
        match self {
            Self::Edits(edits) => edits.clone(),
            Self::AllowedAt { version: _, edit } => vec![edit.clone()],
            Self::Whole { wanted, prune } => {
                let mut edits = set(wanted);
                if *prune {
                    edits.extend(remove(definitions, wanted));
                }
                edits
            }
        }
    }
}

fn set(wanted: &DefinitionsView) -> Vec<DefinitionEdit> {
    let limits = wanted.limits.iter().cloned().map(DefinitionEdit::SetLimit);
    let organizations = wanted.organizations.iter().cloned().map(DefinitionEdit::SetOrganization);
    let workflows = wanted.workflows.iter().cloned().map(Box::new).map(DefinitionEdit::SetWorkflow);
    let variables = wanted.variables.iter().cloned().map(DefinitionEdit::SetVariable);
    let schedules = wanted.schedules.iter().cloned().map(DefinitionEdit::SetSchedule);
    let webhooks = wanted.webhooks.iter().cloned().map(DefinitionEdit::SetWebhook);
    organizations.chain(limits).chain(webhooks).chain(workflows).chain(variables).chain(schedules).collect()
}

/// What is there and not wanted.
fn remove(definitions: &Definitions, wanted: &DefinitionsView) -> Vec<DefinitionEdit> {
    let known = organizations_of(definitions);
    // A file may call an organization by its id or name, too.
    let called = |organization: &Option<String>| {
        let called = organization.as_deref()?;
        Some(known.find(called).map_or_else(|| called.to_owned(), key_of))
    };
    let kept: BTreeSet<&str> = wanted.schedules.iter().map(|one| one.name.as_str()).collect();
    let names =
        definitions.schedules.iter().map(|row| &row.name).filter(|name| !kept.contains(name.as_str()));
    let mut edits: Vec<_> = names.map(|name| DefinitionEdit::RemoveSchedule { name: name.clone() }).collect();
    let kept: BTreeSet<_> =
        wanted.variables.iter().map(|one| (one.key.clone(), called(&one.organization))).collect();
    for one in variables(definitions) {
        let (key, organization) = (one.key, one.organization);
        if !kept.contains(&(key.clone(), organization.clone())) {
            edits.push(DefinitionEdit::RemoveVariable { key, organization });
        }
    }
    let mut kept: BTreeSet<_> =
        wanted.workflows.iter().map(|one| (one.name.clone(), called(&one.organization))).collect();
    for one in workflows(definitions) {
        let (name, organization) = (one.name, one.organization);
        if kept.insert((name.clone(), organization.clone())) {
            edits.push(DefinitionEdit::RemoveWorkflow { name, organization });
        }
    }
    let kept: BTreeSet<&str> = wanted.webhooks.iter().map(|one| one.name.as_str()).collect();
    let names = definitions.webhooks.iter().map(|row| &row.name).filter(|name| !kept.contains(name.as_str()));
    edits.extend(names.map(|name| DefinitionEdit::RemoveWebhook { name: name.clone() }));
    let kept: BTreeSet<&str> = wanted.limits.iter().map(|one| one.name.as_str()).collect();
    let set = definitions.limits.iter().filter(|row| row.origin == SET).map(|row| &row.name);
    let names = set.filter(|name| !kept.contains(name.as_str()));
    edits.extend(names.map(|name| DefinitionEdit::RemoveLimit { name: name.clone() }));
    let kept: BTreeSet<_> =
        wanted.organizations.iter().filter_map(|one| called(&Some(one.key.clone()))).collect();
    for one in organizations(definitions).into_iter().filter(|one| !kept.contains(&one.key)) {
        edits.push(DefinitionEdit::RemoveOrganization { key: one.key });
    }
    edits
}

/// All that is defined and no secret, with nothing in it that follows from the rest.
pub fn whole(definitions: &Definitions) -> DefinitionsView {
    let organizations = organizations(definitions).into_iter().map(|one| OrganizationDefinition {
        name: one.name.filter(|name| *name != one.key),
        id: one.id.filter(|id| *id != organization_id(&one.key)),
        ..one
    });
    let mut seen = BTreeSet::new();
    let rows = definitions.workflows.iter().zip(workflows(definitions));
    // Of rows with the same name the one counts that is active.
    let (active, inactive): (Vec<_>, Vec<_>) = rows.partition(|(_, one)| one.is_active);
    let mut workflows: Vec<WorkflowDefinition> = Vec::new();
    for (row, one) in active.into_iter().chain(inactive) {
        if seen.insert((row.name.clone(), row.organization_id)) {
            let id = one.id.filter(|id| *id != workflow_id(row.organization_id, &one.name));
            workflows.push(WorkflowDefinition { id, ..one });
        }
    }
    workflows
        .sort_by(|left, right| (&left.name, &left.organization).cmp(&(&right.name, &right.organization)));
    DefinitionsView {
        organizations: organizations.collect(),
        workflows,
        variables: variables(definitions),
        schedules: plain_schedules(definitions),
        webhooks: plain_webhooks(definitions),
        limits: definitions.limits.iter().filter(|row| row.origin == SET).map(limit).collect(),
    }
}

/// The schedules, without what they are when nothing is said.
fn plain_schedules(definitions: &Definitions) -> Vec<ScheduleDefinition> {
    let organizations = organizations_of(definitions);
    let plain = |one: ScheduleDefinition| ScheduleDefinition {
        time_zone: one.time_zone.filter(|zone| zone != UTC),
        overlap: one.overlap.filter(|overlap| *overlap != OverlapWord::default()),
        missed: one.missed.filter(|missed| *missed != MissedWord::default()),
        missed_seconds: one.missed_seconds.filter(|seconds| *seconds != MISSED_SECONDS),
        jitter_seconds: one.jitter_seconds.filter(|seconds| *seconds != 0),
        is_paused: one.is_paused.filter(|is_paused| *is_paused),
        id: one.id.filter(|id| *id != schedule_id(&one.name)),
        ..one
    };
    definitions.schedules.iter().map(|row| plain(schedule(&organizations, row))).collect()
}

/// The webhooks, without what they are when nothing is said.
fn plain_webhooks(definitions: &Definitions) -> Vec<WebhookDefinition> {
    let plain = |one: WebhookDefinition| WebhookDefinition {
        is_paused: one.is_paused.filter(|is_paused| *is_paused),
        id: one.id.filter(|id| *id != webhook_id(&one.name)),
        ..one
    };
    webhooks(definitions).into_iter().map(plain).collect()
}
