//! Schedules: when which workflow runs by itself. What their words mean is decided elsewhere; here it is kept, and of
//! those who see a tick exactly one makes its execution.

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{NewExecution, Result};

/// A schedule, as its row has it.
#[derive(Clone, Debug)]
pub struct ScheduleRecord {
    /// The id of the schedule.
    pub id: Uuid,
    /// The name of the schedule; no other has it.
    pub name: String,
    /// The workflow that it runs, by name.
    pub workflow: String,
    /// For whom it runs; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// When it ticks, a line of cron.
    pub cron: String,
    /// The time zone of the line, by its IANA name.
    pub time_zone: String,
    /// The queue its executions wait in; `None` is that of the supervisor that sees the tick.
    pub queue: Option<String>,
    /// What it is run with, JSON text; `None` is `{}`.
    pub parameters: Option<Box<RawValue>>,
    /// What becomes of a tick while the execution before is not over.
    pub overlap: String,
    /// What becomes of ticks that came while nobody was up.
    pub missed: String,
    /// How old a missed tick may be to be run.
    pub missed_seconds: u32,
    /// How much later than its moment a tick may be run.
    pub jitter_seconds: u32,
    /// It does not tick.
    pub is_paused: bool,
    /// The moment of the next tick; `None` before anybody looked.
    pub next_at: Option<Timestamp>,
    /// When that is run.
    pub due_at: Option<Timestamp>,
    /// The moment of the last tick.
    pub last_at: Option<Timestamp>,
    /// The last execution that was made.
    pub last_execution: Option<Uuid>,
    /// What the last tick came to.
    pub last_outcome: Option<String>,
}

/// A schedule that is due.
#[derive(Clone, Debug)]
pub struct DueSchedule {
    /// The schedule, as it is now.
    pub schedule: ScheduleRecord,
    /// The moment now, by the clock that all supervisors on the database go by.
    pub now: Timestamp,
    /// Its executions that are not over: the last one, and any that ran when somebody asked for another.
    pub unfinished: Vec<Uuid>,
    /// When the last of those that are over ended.
    pub ended_at: Option<Timestamp>,
}

/// What follows from a tick: the schedule goes on, and perhaps an execution is made.
#[derive(Clone, Debug)]
pub struct ScheduleAdvance {
    /// Which schedule.
    pub id: Uuid,
    /// The tick it stood at when this was decided.
    pub from: Option<Timestamp>,
    /// The next tick.
    pub next_at: Option<Timestamp>,
    /// When that is run.
    pub due_at: Option<Timestamp>,
    /// The moment of the tick that is done with; `None` when there was none.
    pub done: Option<Timestamp>,
    /// What it came to; `None` when there was none.
    pub outcome: Option<&'static str>,
    /// The execution that it makes.
    pub execution: Option<NewExecution>,
}

/// What became of letting a schedule go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleAdvanced {
    /// It went on, and its execution was made.
    Done,
    /// Somebody else did it, or it was changed meanwhile.
    NotOurs,
    /// The database does not take its execution; it did not go on.
    Refused(String),
}

/// The part of a transaction that is about schedules.
pub(crate) trait ScheduleSession: Send {
    /// Lets these go on that stand where they were seen, and gives them. One that somebody else is letting go on at this
    /// moment is passed by.
    fn advance_schedules(
        &mut self,
        advances: &[ScheduleAdvance],
    ) -> impl Future<Output = Result<HashSet<Uuid>>> + Send;
}

/// The schedules of all supervisors on a database.
#[async_trait]
pub trait ScheduleStore: Debug + Send + Sync + 'static {
    /// Schedules whose next tick is due, or of which nobody knows when it is; the longest due first. Those that wait for
    /// their executions before are left out.
    async fn due_schedules(&self, limit: usize) -> Result<Vec<DueSchedule>>;

    /// How long until another schedule is due; `None` when none will be.
    async fn next_tick(&self) -> Result<Option<Duration>>;

    /// Lets schedules go on and makes their executions: of each both or neither.
    async fn advance_schedules(&self, advances: &[ScheduleAdvance]) -> Result<Vec<ScheduleAdvanced>>;

    /// Notes an execution that somebody asked for beside the ticks. Those before it that are not over are not forgotten.
    async fn note_schedule_run(&self, id: Uuid, at: Timestamp, execution: Uuid) -> Result<()>;
}
