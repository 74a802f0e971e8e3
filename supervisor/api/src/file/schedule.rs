//! A schedule as a file has it: its parameters are TOML.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::value;
use crate::ScheduleDefinition;
use crate::{MissedWord, OverlapWord};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleEntry {
    workflow: String,
    cron: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<toml::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlap: Option<OverlapWord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed: Option<MissedWord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_paused: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
}

impl ScheduleEntry {
    /// The schedule that the file means.
    pub(super) fn into_definition(self, name: String) -> Result<ScheduleDefinition, String> {
        let parameters = self.parameters.as_ref().map(value::json).transpose()?;
        let Self { workflow, cron, time_zone, organization, queue, overlap, missed, .. } = self;
        let Self { missed_seconds, jitter_seconds, is_paused, id, .. } = self;
        Ok(ScheduleDefinition {
            name,
            workflow,
            cron,
            time_zone,
            organization,
            queue,
            parameters,
            overlap,
            missed,
            missed_seconds,
            jitter_seconds,
            is_paused,
            id,
        })
    }

    /// How the file has it.
    pub(super) fn of(one: &ScheduleDefinition) -> Self {
        let one = one.clone();
        Self {
            workflow: one.workflow,
            cron: one.cron,
            time_zone: one.time_zone,
            organization: one.organization,
            queue: one.queue,
            parameters: one.parameters.as_deref().map(value::toml),
            overlap: one.overlap,
            missed: one.missed,
            missed_seconds: one.missed_seconds,
            jitter_seconds: one.jitter_seconds,
            is_paused: one.is_paused,
            id: one.id,
        }
    }
}
