//! Workflows.

use std::path::{Component, Path};

use muster_api::file::meant;
use muster_core::execution::{RetryOptions, check};
use muster_core::limit::ConcurrencyTerms;
use muster_store::{DefinitionWrite, RetentionTerms, WorkflowRecord, WorkflowTerms};
use uuid::Uuid;

use super::{EditSubject, Planner, derived_id, id_for};
use crate::api::WorkflowDefinition;
use crate::definitions::shelf::Mark;
use crate::definitions::view::{text, workflow};

pub(super) const KIND: &str = "workflow";
const SECTION: &str = "workflows";
/// The longest that executions may be kept but for ever: a hundred years.
const DAYS_MAX: f64 = 36_500.0;

impl Planner {
    pub(super) fn set_workflow(&mut self, wanted: &WorkflowDefinition) {
        let subject = EditSubject { section: SECTION, name: &wanted.name };
        let Some(owner) = self.owner(subject, wanted.organization.as_deref()) else { return };
        if !self.check_workflow(subject, wanted) {
            return;
        }
        let found = match self.workflow_row(&wanted.name, owner) {
            Ok(found) => found,
            Err(message) => return self.refuse(subject, None, message),
        };
        let derived = derived_id(KIND, owner, &wanted.name);
        let id = match id_for(wanted.id, found.as_ref().map(|row| row.id), derived) {
            Ok(id) => id,
            Err(message) => return self.refuse(subject, Some("id"), message),
        };
        if found.is_none()
            && let Some(other) = self.workflows.get(&id)
        {
            let message = format!("{id} is that of the workflow {}", other.name);
            return self.refuse(subject, Some("id"), message);
        }
        let retry = wanted.retry.clone().unwrap_or_default();
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let row = WorkflowRecord {
            id,
            name: wanted.name.clone(),
            path: given(&wanted.path),
            function_name: given(&wanted.function),
            language: given(&wanted.language),
            organization_id: owner,
            timeout_seconds: wanted.timeout_seconds,
            max_attempts: wanted.max_attempts.or(retry.max_attempts),
            is_active: wanted.is_active,
            admission: WorkflowTerms {
                concurrency: wanted.concurrency.clone(),
                limits: wanted.limits.clone(),
                queue: given(&wanted.queue),
            },
            retry: RetryOptions { max_attempts: None, ..retry },
            webhook: given(&wanted.webhook),
            retention: RetentionTerms {
                days: wanted.retention_days,
                failed_days: wanted.retention_failed_days,
            },
        };
        let before = found.as_ref().map(|row| text(&workflow(&self.organizations, row)));
        let after = Some(text(&workflow(&self.organizations, &row)));
        if before == after {
            return;
        }
        self.workflows.put(row.clone());
        self.push((KIND, &wanted.name), owner, (before, after), DefinitionWrite::PutWorkflow(row));
    }

    pub(super) fn remove_workflow(&mut self, name: &str, organization: Option<&str>) {
        let subject = EditSubject { section: SECTION, name };
        let Some(owner) = self.owner(subject, organization) else { return };
        let row = match self.workflow_row(name, owner) {
            Ok(Some(row)) => row,
            Ok(None) => {
                let names = self.workflows.all().filter(|row| row.organization_id == owner);
                let hint = meant(name, names.map(|row| row.name.as_str()));
                return self.not_found(subject, format!("no such workflow is defined{hint}"));
            }
            Err(message) => return self.refuse(subject, None, message),
        };
        let before = text(&workflow(&self.organizations, &row));
        self.workflows.remove(&row.id);
        self.push((KIND, name), owner, (Some(before), None), DefinitionWrite::RemoveWorkflow(row.id));
    }

    /// The row of this name and owner. One that is active counts before those that are not.
    fn workflow_row(&self, name: &str, owner: Option<Uuid>) -> Result<Option<WorkflowRecord>, String> {
        let all: Vec<&WorkflowRecord> =
            self.workflows.marked(&Mark::OwnName(owner, name.to_owned())).collect();
        let active: Vec<&WorkflowRecord> = all.iter().copied().filter(|row| row.is_active).collect();
        match if active.is_empty() { all } else { active }.as_slice() {
            [] => Ok(None),
            [row] => Ok(Some((*row).clone())),
            [row, ..] => Err(format!(
                "several rows have this name, so it is not clear which is meant: delete all but one by hand (one has \
                 the id {})",
                row.id
            )),
        }
    }

    fn check_workflow(&mut self, subject: EditSubject<'_>, wanted: &WorkflowDefinition) -> bool {
        let path = wanted.path.as_deref().unwrap_or_default();
        let function = wanted.function.as_deref().unwrap_or_default();
        let language = wanted.language.as_deref().unwrap_or_default();
        let queue = wanted.queue.as_deref().unwrap_or_default();
        let webhook = wanted.webhook.as_deref().unwrap_or_default();
        let or_empty = |text: &str| if text.is_empty() { Ok(()) } else { check::name(text) };
        let function_alone = if path.is_empty() && !function.is_empty() {
            Err("needs a path: without one the worker looks the workflow up by its name".to_owned())
        } else {
            or_empty(function)
        };
        let checks = [
            ("name", check::defined_name(&wanted.name)),
            (
                "path",
                if path.is_empty() { Ok(()) } else { check::name(path).and_then(|()| check_path(path)) },
            ),
            ("function", function_alone),
            ("language", or_empty(language)),
            ("timeout_seconds", wanted.timeout_seconds.map_or(Ok(()), check::timeout)),
            ("max_attempts", wanted.max_attempts.map_or(Ok(()), check::attempts)),
            ("retry", wanted.retry.as_ref().map_or(Ok(()), |retry| check_retry(retry, wanted.max_attempts))),
            ("concurrency", wanted.concurrency.as_ref().map_or(Ok(()), check_concurrency)),
            ("limits", wanted.limits.as_ref().map_or(Ok(()), |names| self.check_limits(names))),
            ("queue", if queue.is_empty() { Ok(()) } else { check::queue_name(queue) }),
            ("webhook", if webhook.is_empty() { Ok(()) } else { self.check_webhook_name(webhook) }),
            ("retention_days", wanted.retention_days.map_or(Ok(()), check_days)),
            ("retention_failed_days", wanted.retention_failed_days.map_or(Ok(()), check_days)),
        ];
        let mut is_right = true;
        for (field, checked) in checks {
            is_right &= self.check(subject, field, checked);
        }
        is_right
    }
}

fn check_retry(retry: &RetryOptions, max_attempts: Option<u32>) -> Result<(), String> {
    check::retry_options(retry)?;
    match (retry.max_attempts, max_attempts) {
        (Some(one), Some(other)) if one != other => {
            Err(format!("max_attempts is {one} here and {other} beside it: say it once"))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

fn check_concurrency(concurrency: &ConcurrencyTerms) -> Result<(), String> {
    if concurrency.says_something() {
        return Ok(());
    }
    Err("total, per_key: both missing; give at least one of them, or leave concurrency out".to_owned())
}

fn check_days(days: f64) -> Result<(), String> {
    if (0.0..=DAYS_MAX).contains(&days) {
        return Ok(());
    }
    Err(format!("must be a number of days from 0 (for ever) to {DAYS_MAX}, not {days}"))
}

/// A file below the workflows folder, and nowhere else.
fn check_path(path: &str) -> Result<(), String> {
    let inside = Path::new(path).components().all(|part| match part {
        Component::Normal(_) | Component::CurDir => true,
        Component::Prefix(_) | Component::RootDir | Component::ParentDir => false,
    });
    // The last part of a folder's path is empty or a dot.
    let names_file = !matches!(path.rsplit('/').next(), None | Some("" | "."));
    if inside && names_file {
        Ok(())
    } else {
        Err(format!(
            "{path:?} must be a file below the workflows folder, without / at its beginning and without .."
        ))
    }
}
