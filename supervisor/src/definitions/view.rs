//! Rows as they are shown.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use muster_core::schedule::{Cron, InvalidCron, ScheduleTimes};
use muster_store::{
    ChangeRecord, ConfigRecord, DefinitionChange, Definitions, DeliveryRecord, DeliveryState, LimitRecord,
    OrganizationRecord, ScheduleRecord, WebhookRecord, WorkflowRecord,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::organizations::{OrganizationShelf, key_of, organizations_of};
use crate::api::{
    ChangeAction, ChangeView, DeliveryView, DeliveryWord, LimitDefinition, OrganizationDefinition,
    PlannedChange, ScheduleDefinition, ScheduleView, SecretView, TickView, TicksView, VariableDefinition,
    WebhookDefinition, WorkflowDefinition,
};
use crate::schedules::{MissedWord, OverlapWord, UTC};
use crate::webhooks::delivery_id;

/// What stands for the value of a secret in the record of changes.
const HIDDEN: &str = "\"(secret)\"";

/// The organizations, by name.
pub fn organizations(definitions: &Definitions) -> Vec<OrganizationDefinition> {
    definitions.organizations.iter().map(organization).collect()
}

/// The workflows, by name.
pub fn workflows(definitions: &Definitions) -> Vec<WorkflowDefinition> {
    let organizations = organizations_of(definitions);
    definitions.workflows.iter().map(|row| workflow(&organizations, row)).collect()
}

/// The entries that are no secrets, by key.
pub fn variables(definitions: &Definitions) -> Vec<VariableDefinition> {
    let open = definitions.config.iter().filter(|row| !row.is_secret);
    let organizations = organizations_of(definitions);
    open.map(|row| VariableDefinition {
        key: row.key.clone(),
        organization: organizations.key_of_id(row.organization_id),
        value: row.value.clone(),
    })
    .collect()
}

/// The secrets, by key.
pub fn secrets(definitions: &Definitions) -> Vec<SecretView> {
    let secret = definitions.config.iter().filter(|row| row.is_secret);
    let organizations = organizations_of(definitions);
    secret
        .map(|row| SecretView {
            key: row.key.clone(),
            organization: organizations.key_of_id(row.organization_id),
            key_id: row.key_id.clone(),
        })
        .collect()
}

pub(super) fn organization(row: &OrganizationRecord) -> OrganizationDefinition {
    OrganizationDefinition {
        key: key_of(row),
        name: Some(row.name.clone()),
        id: Some(row.id),
        weight: row.weight,
        is_active: row.is_active,
    }
}

/// The schedules, by name.
pub fn schedules(definitions: &Definitions) -> Vec<ScheduleView> {
    let organizations = organizations_of(definitions);
    let view = |row: &ScheduleRecord| ScheduleView {
        schedule: schedule(&organizations, row),
        next_at: row.next_at.filter(|_| !row.is_paused),
        last_at: row.last_at,
        last_execution: row.last_execution,
        last_outcome: row.last_outcome.clone(),
    };
    definitions.schedules.iter().map(view).collect()
}

pub(super) fn limit(row: &LimitRecord) -> LimitDefinition {
    LimitDefinition::of(&row.name, &row.terms)
}

/// The webhooks, by name.
pub fn webhooks(definitions: &Definitions) -> Vec<WebhookDefinition> {
    definitions.webhooks.iter().map(webhook).collect()
}

pub(super) fn webhook(row: &WebhookRecord) -> WebhookDefinition {
    // What somebody wrote by hand and that is no list is shown as none.
    let list = |json: &Option<Box<RawValue>>| {
        json.as_ref().map(|json| serde_json::from_str(json.get()).unwrap_or_default())
    };
    WebhookDefinition {
        name: row.name.clone(),
        url: row.url.clone(),
        events: list(&row.events),
        workflows: list(&row.workflows),
        is_paused: Some(row.is_paused),
        id: Some(row.id),
    }
}

/// A delivery, as it is shown.
pub fn delivery_view(row: DeliveryRecord) -> DeliveryView {
    let state = match row.state() {
        DeliveryState::Pending => DeliveryWord::Pending,
        DeliveryState::Delivered => DeliveryWord::Delivered,
        DeliveryState::Failed => DeliveryWord::Failed,
    };
    DeliveryView {
        message_id: delivery_id(row.webhook_id, row.execution_id, &row.event),
        webhook: row.webhook,
        execution_id: row.execution_id,
        event: row.event,
        state,
        attempts: row.attempts,
        created_at: row.created_at,
        due_at: row.due_at,
        delivered_at: row.delivered_at,
        last_status: row.last_status,
        last_error: row.last_error,
        history: row.history,
        url: row.url,
    }
}

pub(super) fn schedule(organizations: &OrganizationShelf, row: &ScheduleRecord) -> ScheduleDefinition {
    ScheduleDefinition {
        name: row.name.clone(),
        workflow: row.workflow.clone(),
        cron: row.cron.clone(),
        time_zone: Some(row.time_zone.clone()),
        organization: organizations.key_of_id(row.organization_id),
        queue: row.queue.clone(),
        parameters: row.parameters.clone(),
        overlap: Some(OverlapWord::of(&row.overlap)),
        missed: Some(MissedWord::of(&row.missed)),
        missed_seconds: Some(row.missed_seconds),
        jitter_seconds: Some(row.jitter_seconds),
        is_paused: Some(row.is_paused),
        id: Some(row.id),
    }
}

/// The ticks of a schedule after this moment, as it is defined.
///
/// # Errors
/// When somebody wrote by hand what is no line of cron or no time zone.
pub fn ticks(schedule: &ScheduleDefinition, after: Timestamp, count: usize) -> Result<TicksView, String> {
    let cron: Cron = schedule.cron.parse().map_err(|error: InvalidCron| error.to_string())?;
    let zone = schedule.time_zone.as_deref().unwrap_or(UTC);
    let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
    let times = ScheduleTimes::new(cron, zone.clone());
    let mut ticks = Vec::new();
    let mut moment = after;
    while let Some(at) = times.next_after(moment).filter(|_| ticks.len() < count) {
        let local = at.to_zoned_datetime(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string();
        ticks.push(TickView { at, local });
        moment = at;
    }
    Ok(TicksView { ticks })
}

pub(super) fn workflow(organizations: &OrganizationShelf, row: &WorkflowRecord) -> WorkflowDefinition {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    WorkflowDefinition {
        name: row.name.clone(),
        organization: organizations.key_of_id(row.organization_id),
        id: Some(row.id),
        path: given(&row.path),
        function: given(&row.function_name),
        language: given(&row.language),
        timeout_seconds: row.timeout_seconds,
        max_attempts: row.max_attempts,
        retry: Some(row.retry.clone()).filter(|retry| !retry.is_empty()),
        concurrency: row.admission.concurrency.clone(),
        limits: row.admission.limits.clone(),
        queue: given(&row.admission.queue),
        webhook: given(&row.webhook),
        retention_days: row.retention.days,
        retention_failed_days: row.retention.failed_days,
        is_active: row.is_active,
    }
}

/// What is noted of an entry; never the value of a secret.
pub(super) fn config_text(row: &ConfigRecord) -> String {
    if row.is_secret { HIDDEN.to_owned() } else { row.value.get().to_owned() }
}

/// What is noted of a thing.
pub(super) fn text<T: Serialize>(thing: &T) -> String {
    to_raw_value(thing).map_or_else(|_| "null".to_owned(), |raw| raw.get().to_owned())
}

/// A change that is about to be made.
pub(super) fn planned(change: &DefinitionChange) -> PlannedChange {
    let raw = |text: &Option<String>| text.clone().and_then(|text| RawValue::from_string(text).ok());
    let (before, after) = (raw(&change.before), raw(&change.after));
    PlannedChange {
        action: action(before.is_some(), after.is_some()),
        kind: change.kind.to_owned(),
        name: change.name.clone(),
        organization: change.organization.clone(),
        before,
        after,
    }
}

/// A change that was made.
pub fn change_view(record: ChangeRecord) -> ChangeView {
    let change = PlannedChange {
        action: action(record.before.is_some(), record.after.is_some()),
        kind: record.kind,
        name: record.name,
        organization: record.organization,
        before: record.before,
        after: record.after,
    };
    ChangeView { number: record.number, at: record.at, who: record.who, change }
}

fn action(was_there: bool, is_there: bool) -> ChangeAction {
    match (was_there, is_there) {
        (false, _) => ChangeAction::Create,
        (true, true) => ChangeAction::Change,
        (true, false) => ChangeAction::Remove,
    }
}
