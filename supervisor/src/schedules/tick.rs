//! From a row to its rules, and from a tick to its execution. Pure.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use muster_core::execution::{ExecutionRequest, InvalidRequest, derived_id};
use muster_core::schedule::{Cron, ScheduleRules, ScheduleTimes};
use muster_store::ScheduleRecord;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{MissedWord, OverlapWord};

/// What decides about a schedule's ticks.
///
/// # Errors
/// When somebody wrote by hand what is no line of cron or no time zone.
pub fn rules(schedule: &ScheduleRecord) -> Result<ScheduleRules, String> {
    let cron: Cron =
        schedule.cron.parse().map_err(|error: muster_core::schedule::InvalidCron| error.to_string())?;
    let zone = TimeZone::get(&schedule.time_zone).map_err(|error| error.to_string())?;
    Ok(ScheduleRules {
        times: ScheduleTimes::new(cron, zone),
        overlap: OverlapWord::of(&schedule.overlap).into(),
        missed: MissedWord::of(&schedule.missed).into(),
        missed_within: SignedDuration::from_secs(i64::from(schedule.missed_seconds)),
        offset: offset(schedule),
    })
}

/// How much later than its moment each tick of a schedule is run: always the same, and another for each schedule.
fn offset(schedule: &ScheduleRecord) -> SignedDuration {
    let span_ms = u64::from(schedule.jitter_seconds) * 1_000;
    let place = schedule.id.as_u64_pair();
    let offset_ms = (place.0 ^ place.1).checked_rem(span_ms).unwrap_or_default();
    SignedDuration::from_millis(i64::try_from(offset_ms).unwrap_or_default())
}

/// The id of the execution of a tick.
pub fn tick_id(schedule: Uuid, moment: Timestamp) -> Uuid {
    derived_id(schedule, moment.to_string().as_bytes())
}

/// What a run is told of the tick that it is of.
#[derive(Serialize)]
struct StartupView<'a> {
    schedule: &'a str,
    scheduled_for: Timestamp,
}

#[derive(Serialize)]
struct RequestView<'a> {
    execution_id: Uuid,
    workflow: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    startup: StartupView<'a>,
}

/// The execution of a tick, or one that somebody asks for at this moment.
///
/// # Errors
/// When somebody wrote by hand what is no name or no object of parameters.
pub fn execution_of(
    schedule: &ScheduleRecord,
    id: Uuid,
    moment: Timestamp,
) -> Result<ExecutionRequest, InvalidRequest> {
    let request = RequestView {
        execution_id: id,
        workflow: &schedule.workflow,
        organization_id: schedule.organization_id,
        queue: schedule.queue.as_deref(),
        parameters: schedule.parameters.as_deref(),
        startup: StartupView { schedule: &schedule.name, scheduled_for: moment },
    };
    // Strings, ids and raw JSON: there is no way to fail.
    ExecutionRequest::parse(&serde_json::to_vec(&request).unwrap_or_default())
}
