//! What was: the last hour, day or week in steps, for charts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far back is looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HistorySpan {
    /// The last hour, by the minute.
    #[default]
    Hour,
    /// The last day, by the quarter of an hour.
    Day,
    /// The last week, by two hours.
    Week,
}

impl HistorySpan {
    /// How long a step is that is shown.
    pub fn step_seconds(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 15 * 60,
            Self::Week => 2 * 3600,
        }
    }

    /// How many steps are shown.
    pub fn steps(self) -> i64 {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
            Self::Week => 84,
        }
    }

    /// When the first of them begins. The last one is the one that this moment is in.
    pub fn since(self, now: Timestamp) -> Timestamp {
        let step = self.step_seconds();
        let last = now.as_second().div_euclid(step) * step;
        let first = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(last - (self.steps() - 1) * step);
        first.max(Timestamp::UNIX_EPOCH)
    }
}

impl std::str::FromStr for HistorySpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            _ => Err(format!("is hour, day or week, not {text:?}")),
        }
    }
}

/// What all supervisors on the database noted of a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = History)]
pub struct HistoryView {
    /// How far back it looks.
    pub span: HistorySpan,
    /// How long a step is, in seconds.
    pub step_seconds: i64,
    /// The steps, the oldest first; the last one is not over.
    pub steps: Vec<HistoryStep>,
}

/// What there was in a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryStep {
    /// When it begins.
    pub begins_at: Timestamp,
    /// How many supervisors noted anything of it; 0 where nobody ran.
    pub supervisors: usize,
    /// Executions that succeeded.
    pub succeeded: u64,
    /// Executions that failed.
    pub failed: u64,
    /// Executions that took too long.
    pub timed_out: u64,
    /// Executions that were cancelled.
    pub cancelled: u64,
    /// Half of the runs took so long at most, in milliseconds, to within a quarter; null where none ended.
    pub ran_p50_ms: Option<f64>,
    /// 95 of 100 of them took so long at most.
    pub ran_p95_ms: Option<f64>,
    /// 95 of 100 executions that were claimed waited so long for a worker at most, in milliseconds: since their claim, or since
    /// their message was published where that says so.
    pub waited_p95_ms: Option<f64>,
    /// The longest that what was due waited for a worker, in seconds.
    pub oldest_wait_seconds: f64,
    /// The most executions that ran at once, of the moments that were looked at.
    pub running: u64,
    /// The most rows that waited.
    pub waiting: u64,
    /// The most workers.
    pub workers: u64,
    /// Seconds that workers worked, by the id of the organization; `none` is without one, the empty text all beyond twenty.
    pub worker_seconds: BTreeMap<String, f64>,
}
