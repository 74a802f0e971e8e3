//! What is defined, as it is shown, given and kept in a file.

use jiff::Timestamp;
use muster_core::execution::RetryOptions;
use muster_core::limit::ConcurrencyTerms;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{LimitDefinition, ScheduleDefinition, WebhookDefinition};

/// An organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Organization)]
pub struct OrganizationDefinition {
    /// The word that commands, files and addresses know it by. In a body it may be left out: the address has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The name of the organization, for people; the key when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// Its id in requests. A new one has the same in every database, unless one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
    /// Its part of the workers' time beside the others', more than 0; left out, it is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub weight: Option<f64>,
    /// False: it may not run anything.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_active: bool,
}

/// What is defined of a workflow. It comes before what its code declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Workflow)]
pub struct WorkflowDefinition {
    /// The name by which it is submitted. In a body it may be left out: the address has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whose it is, by its key; left out, it is everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// Its id in requests. A new one has the same in every database, unless one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
    /// Its file below the workflows folder; left out, the worker looks its name up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub path: Option<String>,
    /// The function in the file; left out, it is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub function: Option<String>,
    /// The language of the code; left out, it is the worker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub language: Option<String>,
    /// The time limit of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timeout_seconds: Option<f64>,
    /// How many attempts there may be, the first included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_attempts: Option<u32>,
    /// What else is said of further attempts. `max_attempts` may be in it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry: Option<RetryOptions>,
    /// How many may run at once: the limit `workflow/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub concurrency: Option<ConcurrencyTerms>,
    /// The names of limits that it shares with others, for executions that name none; an empty list stands above what the
    /// code declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub limits: Option<Vec<String>>,
    /// The queue its executions wait in, where they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue: Option<String>,
    /// The webhook that is told what its executions came to, by name; it need not be told of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub webhook: Option<String>,
    /// After how many days its executions that ended are removed, fractions allowed; 0: never. Left out, the settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub retention_days: Option<f64>,
    /// The same for those that failed or took too long; left out, as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, nullable = false)]
    pub retention_failed_days: Option<f64>,
    /// False: as if it were not defined.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub is_active: bool,
}

impl WorkflowDefinition {
    /// One of which nothing is defined but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            organization: None,
            id: None,
            path: None,
            function: None,
            language: None,
            timeout_seconds: None,
            max_attempts: None,
            retry: None,
            concurrency: None,
            limits: None,
            queue: None,
            webhook: None,
            retention_days: None,
            retention_failed_days: None,
            is_active: true,
        }
    }
}

/// An entry of configuration that is no secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Variable)]
pub struct VariableDefinition {
    /// The key by which runs ask for it. In a body it may be left out: the address has it.
    #[serde(default)]
    pub key: String,
    /// Whose it is, by its key; left out, it is everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// Its value, any JSON.
    #[schema(value_type = Value)]
    pub value: Box<RawValue>,
}

/// What a secret is to be.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretValue {
    /// Any JSON. It is never shown again.
    #[schema(value_type = Value)]
    pub value: Box<RawValue>,
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue")
    }
}

/// A secret, without its value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Secret)]
pub struct SecretView {
    /// The key by which runs ask for it.
    pub key: String,
    /// Whose it is, by its key; left out, it is everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// The id of the key that it is encrypted with; null when it is in clear, as an earlier version wrote it.
    pub key_id: Option<String>,
}

/// The organizations.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Organizations)]
pub struct OrganizationsView {
    /// By name.
    pub organizations: Vec<OrganizationDefinition>,
}

/// The entries of configuration that are no secrets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Variables)]
pub struct VariablesView {
    /// By key.
    pub variables: Vec<VariableDefinition>,
}

/// The secrets, without their values.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Secrets)]
pub struct SecretsView {
    /// By key.
    pub secrets: Vec<SecretView>,
}

/// All that is defined but secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Definitions)]
pub struct DefinitionsView {
    /// For whom executions run.
    #[serde(default)]
    pub organizations: Vec<OrganizationDefinition>,
    /// What is defined of workflows.
    #[serde(default)]
    pub workflows: Vec<WorkflowDefinition>,
    /// The entries of configuration that are no secrets.
    #[serde(default)]
    pub variables: Vec<VariableDefinition>,
    /// What runs by itself.
    #[serde(default)]
    pub schedules: Vec<ScheduleDefinition>,
    /// Who is told what executions came to.
    #[serde(default)]
    pub webhooks: Vec<WebhookDefinition>,
    /// How many executions may run at once. Those that are workflows' own are with the workflows.
    #[serde(default)]
    pub limits: Vec<LimitDefinition>,
}

/// What becomes of something that is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// It was not there.
    Create,
    /// It was another.
    Change,
    /// It is no longer there.
    Remove,
}

/// One change of what is defined.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlannedChange {
    /// What becomes of it.
    pub action: ChangeAction,
    /// What kind of thing it is: `organization`, `workflow`, `variable`, `secret`, `schedule`,
    /// `webhook`, `limit` or `pause`.
    pub kind: String,
    /// The name of the thing.
    pub name: String,
    /// Whose it is, by its key; left out, it is everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// What it was; null before it was there. Values of secrets are left out.
    #[schema(value_type = Value)]
    pub before: Option<Box<RawValue>>,
    /// What it is from then on; null once it is removed.
    #[schema(value_type = Value)]
    pub after: Option<Box<RawValue>>,
}

/// What a change of definitions comes to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    /// In the order in which they are made; none when everything is as it was wanted.
    pub changes: Vec<PlannedChange>,
    /// False when it was only asked what would change.
    pub is_applied: bool,
}

/// A change that was made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Change)]
pub struct ChangeView {
    /// Grows with every change.
    pub number: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// Who asked for it, as far as they said, and from where.
    pub who: String,
    /// The change itself.
    pub change: PlannedChange,
}

/// A page of changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Changes)]
pub struct ChangesView {
    /// The newest first.
    pub changes: Vec<ChangeView>,
    /// Where the next page begins; null after the last.
    pub next_cursor: Option<i64>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_yes(is_active: &bool) -> bool {
    *is_active
}
