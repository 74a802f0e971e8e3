//! What somebody wants to be defined, or no longer.

use serde_json::value::RawValue;

use crate::api::{
    LimitDefinition, OrganizationDefinition, ScheduleDefinition, VariableDefinition, WebhookDefinition,
    WorkflowDefinition,
};

/// One wish.
#[derive(Clone)]
pub enum DefinitionEdit {
    /// This organization, in the place of the one with its key.
    SetOrganization(OrganizationDefinition),
    /// No organization of this key.
    RemoveOrganization {
        /// The organization's key, its id, or a name that no other has.
        key: String,
    },
    /// This workflow, in the place of the one with its name and organization.
    SetWorkflow(Box<WorkflowDefinition>),
    /// No workflow of this name.
    RemoveWorkflow {
        /// The name of the workflow.
        name: String,
        /// Whose it is; `None` is everybody's.
        organization: Option<String>,
    },
    /// This variable, in the place of the one with its key and organization.
    SetVariable(VariableDefinition),
    /// No variable of this key.
    RemoveVariable {
        /// The key of the variable.
        key: String,
        /// Whose it is; `None` is everybody's.
        organization: Option<String>,
    },
    /// This secret, in the place of whatever has its key and organization.
    SetSecret {
        /// The key of the secret.
        key: String,
        /// Whose it is; `None` is everybody's.
        organization: Option<String>,
        /// Its value, JSON text.
        value: Box<RawValue>,
    },
    /// This schedule, in the place of the one with its name.
    SetSchedule(ScheduleDefinition),
    /// The schedule of this name ticks no longer, or again.
    PauseSchedule {
        /// The name of the schedule.
        name: String,
        /// Whether it is paused from then on.
        is_paused: bool,
    },
    /// No schedule of this name.
    RemoveSchedule {
        /// The name of the schedule.
        name: String,
    },
    /// This webhook, in the place of the one with its name.
    SetWebhook(WebhookDefinition),
    /// The webhook of this name is told nothing, or is told again.
    PauseWebhook {
        /// The name of the webhook.
        name: String,
        /// Whether it is paused from then on.
        is_paused: bool,
    },
    /// No webhook of this name.
    RemoveWebhook {
        /// The name of the webhook.
        name: String,
    },
    /// This limit, in the place of the one with its name.
    SetLimit(LimitDefinition),
    /// No limit of this name.
    RemoveLimit {
        /// The name of the limit.
        name: String,
    },
    /// No secret of this key.
    RemoveSecret {
        /// The key of the secret.
        key: String,
        /// Whose it is; `None` is everybody's.
        organization: Option<String>,
    },
}

/// Values of secrets must not come into a log by way of a `{:?}`.
impl std::fmt::Debug for DefinitionEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SetOrganization(_) => "SetOrganization",
            Self::RemoveOrganization { .. } => "RemoveOrganization",
            Self::SetWorkflow(_) => "SetWorkflow",
            Self::RemoveWorkflow { .. } => "RemoveWorkflow",
            Self::SetVariable(_) => "SetVariable",
            Self::RemoveVariable { .. } => "RemoveVariable",
            Self::SetSecret { .. } => "SetSecret",
            Self::RemoveSecret { .. } => "RemoveSecret",
            Self::SetSchedule(_) => "SetSchedule",
            Self::PauseSchedule { .. } => "PauseSchedule",
            Self::RemoveSchedule { .. } => "RemoveSchedule",
            Self::SetWebhook(_) => "SetWebhook",
            Self::PauseWebhook { .. } => "PauseWebhook",
            Self::RemoveWebhook { .. } => "RemoveWebhook",
            Self::SetLimit(_) => "SetLimit",
            Self::RemoveLimit { .. } => "RemoveLimit",
        })
    }
}
