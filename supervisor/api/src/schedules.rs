//! Schedules, as they are given and shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{MissedWord, OverlapWord};

/// When which workflow runs by itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Schedule)]
pub struct ScheduleDefinition {
    /// The name of the schedule. In a body it may be left out: the address has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The workflow that it runs, by name.
    pub workflow: String,
    /// When it ticks: minute, hour, day of month, month, day of week; or a word such as `@daily`.
    pub cron: String,
    /// The time zone of that by its IANA name; left out, it is UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time_zone: Option<String>,
    /// For whom it runs, by key; left out, for nobody in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// The queue its executions wait in; left out, that of the supervisor that sees the tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue: Option<String>,
    /// What the workflow is run with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub parameters: Option<Box<RawValue>>,
    /// What becomes of a tick while the execution of the one before is not over; left out, it is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub overlap: Option<OverlapWord>,
    /// What becomes of ticks that came while nobody was up; left out, the latest is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub missed: Option<MissedWord>,
    /// How old a missed tick may be to be run; left out, an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub missed_seconds: Option<u32>,
    /// Each tick is run up to so much later, always by the same, so that not all schedules tick at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub jitter_seconds: Option<u32>,
    /// True: it does not tick. Left out, it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_paused: Option<bool>,
    /// Its id; a new one has the same in every database, unless one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<Uuid>,
}

/// A schedule, with what it did last and does next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ScheduleState)]
pub struct ScheduleView {
    /// The schedule itself.
    pub schedule: ScheduleDefinition,
    /// The moment of the next tick; null when it is paused, and for a second after a change.
    pub next_at: Option<Timestamp>,
    /// The moment of the last tick, or of the last time somebody ran it by hand.
    pub last_at: Option<Timestamp>,
    /// The last execution.
    pub last_execution: Option<Uuid>,
    /// What the last tick came to.
    pub last_outcome: Option<String>,
}

/// The schedules.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Schedules)]
pub struct SchedulesView {
    /// By name.
    pub schedules: Vec<ScheduleView>,
}

/// The next ticks of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Ticks)]
pub struct TicksView {
    /// The first of them first.
    #[schema(inline)]
    pub ticks: Vec<TickView>,
}

/// One tick.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Tick)]
pub struct TickView {
    /// The moment of the tick.
    pub at: Timestamp,
    /// The same on the wall of the schedule's time zone, with its offset.
    pub local: String,
}
