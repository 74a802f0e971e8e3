//! What wishes come to, over rows.

mod amount;
mod config;
mod file;
mod limits;
mod organizations;
mod round_trip;
mod schedules;
mod webhooks;
mod workflows;

use jiff::Timestamp;
use muster_store::{DefinitionWrite, Definitions, LimitRecord, OrganizationRecord};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::file::parse;
use super::{DefinitionEdit, DefinitionWish, plan};
use crate::api::{OrganizationDefinition, VariableDefinition, WorkflowDefinition};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn acme() -> OrganizationRecord {
    OrganizationRecord {
        id: Uuid::from_u128(7),
        key: Some("acme".into()),
        name: "Acme".into(),
        weight: None,
        is_active: true,
    }
}

fn with_acme() -> Definitions {
    Definitions { organizations: vec![acme()], ..Definitions::default() }
}

fn organization(key: &str) -> OrganizationDefinition {
    OrganizationDefinition { key: key.into(), name: None, id: None, weight: None, is_active: true }
}

fn variable(key: &str, organization: Option<&str>, value: &str) -> DefinitionEdit {
    let organization = organization.map(ToOwned::to_owned);
    DefinitionEdit::SetVariable(VariableDefinition { key: key.into(), organization, value: raw(value) })
}

fn workflow(wanted: WorkflowDefinition) -> DefinitionEdit {
    DefinitionEdit::SetWorkflow(Box::new(wanted))
}

fn secret(key: &str) -> DefinitionEdit {
    DefinitionEdit::SetSecret { key: key.into(), organization: None, value: raw("\"hush\"") }
}

/// The rows as the writes leave them.
fn written(mut definitions: Definitions, edits: &[DefinitionEdit]) -> Definitions {
    for change in plan(&definitions, edits).unwrap() {
        match change.write {
            DefinitionWrite::PutOrganization(row) => {
                definitions.organizations.retain(|other| other.id != row.id);
                definitions.organizations.push(row);
            }
            DefinitionWrite::RemoveOrganization(id) => definitions.organizations.retain(|row| row.id != id),
            DefinitionWrite::PutWorkflow(row) => {
                definitions.workflows.retain(|other| other.id != row.id);
                definitions.workflows.push(row);
            }
            DefinitionWrite::RemoveWorkflow(id) => definitions.workflows.retain(|row| row.id != id),
            DefinitionWrite::PutSchedule(row) => {
                definitions.schedules.retain(|other| other.id != row.id);
                definitions.schedules.push(row);
            }
            DefinitionWrite::PutWebhook(row) => {
                definitions.webhooks.retain(|other| other.id != row.id);
                definitions.webhooks.push(row);
            }
            DefinitionWrite::RemoveWebhook(id) => definitions.webhooks.retain(|row| row.id != id),
            DefinitionWrite::RemoveSchedule(id) => definitions.schedules.retain(|row| row.id != id),
            DefinitionWrite::PutLimit { name, terms } => {
                definitions.limits.retain(|other| other.name != name);
                let (origin, at) = ("set".to_owned(), Timestamp::UNIX_EPOCH);
                definitions.limits.push(LimitRecord { name, terms, origin, created_at: at, updated_at: at });
            }
            DefinitionWrite::RemoveLimit(name) => definitions.limits.retain(|row| row.name != name),
            DefinitionWrite::PutConfig(row) => {
                definitions
                    .config
                    .retain(|other| (&other.key, other.organization_id) != (&row.key, row.organization_id));
                definitions.config.push(row);
            }
            DefinitionWrite::RemoveConfig { organization_id, key } => {
                definitions.config.retain(|row| (&row.key, row.organization_id) != (&key, organization_id));
            }
        }
    }
    definitions
}

fn problems(definitions: &Definitions, edit: DefinitionEdit) -> String {
    let problems = plan(definitions, &[edit]).unwrap_err();
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file that has something of everything.
const FILE: &str = r#"
[organizations.acme]
name = "Acme Ltd."

[organizations.other]
is_active = false

[workflows."billing/invoice"]
path = "billing/invoice.py"
function = "run"
timeout_seconds = 60
queue = "python"
webhook = "billing"
retention_days = 365
retention_failed_days = 0
limits = ["crm-calls"]
retry = { max_attempts = 3, backoff_seconds = 5.0, give_up_on = ["InvalidInvoice"] }
concurrency = { total = 20, per_key = 2, key = "parameters.customer", on_full = "reject" }

[limits.crm-calls]
total = 20
per_key = 5
rate = "100/60s"
on_full = "replace"

[workflows.invoice-of-acme]
name = "billing/invoice"
organization = "acme"
max_attempts = 3

[schedules.nightly]
workflow = "billing/invoice"
cron = "30 2 * * *"
time_zone = "Europe/Berlin"
overlap = "queue"
missed = "run_all"
parameters = { all = true, since = 1.5 }
organization = "acme"

[webhooks.ops]
url = "https://example.com/hook"
events = ["FAILED", "TIMEOUT"]
workflows = ["billing/invoice"]

[webhooks.billing]
url = "https://example.com/billing"
workflows = []

[config.global]
api_url = "https://api.example.com"
nothing = { json = "null" }
nested = { hosts = ["a", "b"], retries = 3, ratio = 0.5 }

[config.acme]
region = "eu"
"#;

/// The rows as a file leaves them.
fn applied(definitions: Definitions, file: &str, prune: bool) -> Definitions {
    let (wanted, _) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune }.edits(&definitions);
    written(definitions, &edits)
}
