//! Changing what is defined: organizations, workflows, entries of configuration.
//!
//! Whoever wants a change reads all there is with its version, decides what to write, and writes it at that version; when
//! somebody was faster nothing is written, and they decide anew. So a decision is a pure function over rows, and what it
//! was made from still holds when it counts. Every write is noted in the same transaction.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::limit::LimitTerms;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::limits::{DeclaredWorkflow, HeldLimit};
use crate::{
    ExecutionRecord, LimitRecord, OrganizationRecord, Result, ScheduleRecord, TokenRecord, WebhookRecord,
    WorkflowRecord,
};

/// All that is defined, as it was at one version.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// Grows with every change, also with one that somebody made by hand.
    pub version: i64,
    /// The organizations, by name.
    pub organizations: Vec<OrganizationRecord>,
    /// The workflows, by name, those that are not active among them.
    pub workflows: Vec<WorkflowRecord>,
    /// The entries of configuration, by key, secrets among them.
    pub config: Vec<ConfigRecord>,
    /// The schedules, by name.
    pub schedules: Vec<ScheduleRecord>,
    /// The webhooks, by name.
    pub webhooks: Vec<WebhookRecord>,
    /// The limits, by name, those among them that are workflows' own.
    pub limits: Vec<LimitRecord>,
    /// The tokens, by name: an organization cannot go while one is bound to it.
    pub tokens: Vec<TokenRecord>,
}

/// One entry of configuration, as its row has it.
#[derive(Clone, Debug)]
pub struct ConfigRecord {
    /// Whose it is; `None` is global.
    pub organization_id: Option<Uuid>,
    /// The key of the entry.
    pub key: String,
    /// The value of the entry, JSON text.
    pub value: Box<RawValue>,
    /// Never in Redis, masked in logs.
    pub is_secret: bool,
    /// The id of the key that its value is encrypted with; `None` when it is in clear.
    pub key_id: Option<String>,
}

/// A row to be written or removed.
#[derive(Clone, Debug)]
pub enum DefinitionWrite {
    /// Writes this organization, new or changed.
    PutOrganization(OrganizationRecord),
    /// Removes the organization of this id.
    RemoveOrganization(Uuid),
    /// Writes this workflow, new or changed.
    PutWorkflow(WorkflowRecord),
    /// Removes the workflow of this id.
    RemoveWorkflow(Uuid),
    /// Writes this entry of configuration, new or changed.
    PutConfig(ConfigRecord),
    /// Removes the entry of this organization and key.
    RemoveConfig {
        /// Whose it is; `None` is global.
        organization_id: Option<Uuid>,
        /// The key of the entry.
        key: String,
    },
    /// Writes this schedule, new or changed; when it ticks next is found anew where that may be another moment.
    PutSchedule(ScheduleRecord),
    /// Removes the schedule of this id.
    RemoveSchedule(Uuid),
    /// Writes this webhook, new or changed.
    PutWebhook(WebhookRecord),
    /// Removes the webhook of this id, and what it was to be told.
    RemoveWebhook(Uuid),
    /// Sets what a limit says.
    PutLimit {
        /// The name of the limit.
        name: String,
        /// What it allows.
        terms: LimitTerms,
    },
    /// Forgets the limit of this name.
    RemoveLimit(String),
}

impl DefinitionWrite {
    /// The limit that it is about.
    pub(crate) fn limit(&self) -> Option<&str> {
        match self {
            Self::PutLimit { name, .. } | Self::RemoveLimit(name) => Some(name),
            Self::PutOrganization(_)
            | Self::RemoveOrganization(_)
            | Self::PutWorkflow(_)
            | Self::RemoveWorkflow(_)
            | Self::PutConfig(_)
            | Self::RemoveConfig { .. }
            | Self::PutSchedule(_)
            | Self::RemoveSchedule(_)
            | Self::PutWebhook(_)
            | Self::RemoveWebhook(_) => None,
        }
    }
}

/// A write, and how it is told of.
#[derive(Clone, Debug)]
pub struct DefinitionChange {
    /// What is written.
    pub write: DefinitionWrite,
    /// What kind of thing it is: `workflow`.
    pub kind: &'static str,
    /// The name of the thing.
    pub name: String,
    /// The organization it belongs to, by its key; `None` is global.
    pub organization: Option<String>,
    /// What it was, JSON text; `None` before it was there.
    pub before: Option<String>,
    /// What it is now, JSON text; `None` once it is removed.
    pub after: Option<String>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionsWritten {
    /// All of it is committed.
    Committed,
    /// Nothing is written: the definitions are no longer those it was decided from.
    Outdated,
}

/// A change that was made, as it is kept.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeRecord {
    /// Grows with every change.
    pub number: i64,
    /// When the change was made.
    pub at: Timestamp,
    /// Who asked for it, as far as they said.
    pub who: String,
    /// What kind of thing it is: `workflow`.
    pub kind: String,
    /// The name of the thing.
    pub name: String,
    /// The organization it belongs to, by the key it had; `None` is global.
    pub organization: Option<String>,
    /// What it was; `None` before it was there. Values of secrets are left out.
    pub before: Option<Box<RawValue>>,
    /// What it is from then on; `None` once it is removed.
    pub after: Option<Box<RawValue>>,
}

/// What is defined, for those who change it.
#[async_trait]
pub trait DefinitionEditStore: Debug + Send + Sync + 'static {
    /// Reads all that is defined.
    async fn definitions(&self) -> Result<Definitions>;

    /// Reads the variables and the secrets alone, these as they are kept.
    async fn config_records(&self) -> Result<Vec<ConfigRecord>>;

    /// Makes these changes, all or none, if the definitions are still at this version.
    async fn write_definitions(
        &self,
        version: i64,
        who: &str,
        changes: &[DefinitionChange],
    ) -> Result<DefinitionsWritten>;

    /// The changes before this number, the newest first.
    async fn changes(&self, before: Option<i64>, limit: usize) -> Result<Vec<ChangeRecord>>;

    /// How often what is defined was changed.
    async fn definition_version(&self) -> Result<i64>;

    /// Returns when what is defined may have changed since the last call: a hint to look at the version. Never an error; it
    /// just stays silent while the database is out of reach, and returns once it was.
    async fn definitions_changed(&self);
}

/// The part of a transaction that is about definitions. Methods take no empty lists.
pub(crate) trait DefinitionSession: Send {
    /// The version of what is defined.
    fn version_of_definitions(&mut self) -> impl Future<Output = Result<i64>> + Send;

    /// The same, and whoever changes definitions after us waits until this is over.
    fn lock_definitions(&mut self) -> impl Future<Output = Result<i64>> + Send;

    /// All workflows, by name, those that are not active among them.
    fn workflows_defined(&mut self) -> impl Future<Output = Result<Vec<WorkflowRecord>>> + Send;

    /// All organizations.
    fn organizations_defined(&mut self) -> impl Future<Output = Result<Vec<OrganizationRecord>>> + Send;

    /// All that code declares of workflows, by name.
    fn workflows_declared(&mut self) -> impl Future<Output = Result<Vec<DeclaredWorkflow>>> + Send;

    /// Writes what code declares of a workflow, JSON text; `None`: nothing, which counts as a change all the same, and makes
    /// whoever changes definitions wait.
    fn put_declared(&mut self, name: &str, terms: Option<&str>) -> impl Future<Output = Result<()>> + Send;

    /// Writes or removes one thing.
    fn put_definition(&mut self, write: &DefinitionWrite) -> impl Future<Output = Result<()>> + Send;

    /// Gives rows that this transaction has locked these limits, in the place of those they had.
    fn put_limits(&mut self, rows: &[(Uuid, Vec<HeldLimit>)]) -> impl Future<Output = Result<()>> + Send;

    /// These executions.
    fn records_of(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<Vec<ExecutionRecord>>> + Send;
}
