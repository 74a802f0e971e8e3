//! The supervisors on one database, as each says of itself and as the others see it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_core::fleet::FleetRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One that has not been heard of for so long is taken for dead: three times what lies between two words of it.
const SILENT_AFTER_SECONDS: f64 = 30.0;
/// One that left or was replaced is shown for so long.
const LEFT_SHOWN_SECONDS: f64 = 900.0;

/// Every supervisor on the database that was seen lately.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Fleet)]
pub struct FleetView {
    /// By their starts, the first one first.
    pub supervisors: Vec<FleetMemberView>,
}

/// One supervisor.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = FleetMember)]
pub struct FleetMemberView {
    /// The id of the supervisor, made anew at each start.
    pub id: Uuid,
    /// The name of its machine.
    pub host: String,
    /// Its process there.
    pub process_id: u32,
    /// Its version; `None` of an earlier one that does not tell.
    pub version: Option<String>,
    /// When it started, by its own clock.
    pub started_at: Timestamp,
    /// Where its API listens; `None` when it has none.
    pub http_address: Option<String>,
    /// The folder of its files, its transcripts among them.
    pub data_dir: String,
    /// Whether it lives.
    pub life: SupervisorLife,
    /// How long ago it said how it is, in seconds; `None` of one that never did.
    pub silent_seconds: Option<f64>,
    /// The number of executions that run in its name, as the database has it.
    pub holds: u64,
    /// How it was when it said so last.
    pub said: Option<SupervisorWord>,
}

/// Whether a supervisor lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SupervisorLife {
    /// It takes work.
    Serving,
    /// It lives, and something keeps it from taking work.
    Troubled,
    /// It takes no more work, and leaves when what runs has ended.
    Draining,
    /// It has not been heard of for half a minute: it is dead, or cut off from the database.
    Silent,
    /// It was killed, and another one was started with its files.
    Replaced,
    /// It ended as it should.
    Left,
    /// An earlier version, which does not tell.
    Unknown,
}

impl SupervisorLife {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Troubled => "troubled",
            Self::Draining => "draining",
            Self::Silent => "silent",
            Self::Replaced => "replaced",
            Self::Left => "left",
            Self::Unknown => "unknown",
        }
    }
}

/// What a supervisor says of itself every few seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SupervisorWord {
    /// True in its last word: it ended as it should.
    #[serde(default)]
    pub left: bool,
    /// True once it takes no more work.
    #[serde(default)]
    pub draining: bool,
    /// The queues it serves.
    #[serde(default)]
    pub queues: Vec<String>,
    /// The most executions that it runs at once.
    #[serde(default)]
    pub max_workers: usize,
    /// The number of its workers.
    #[serde(default)]
    pub workers: usize,
    /// The number of executions that they hold.
    #[serde(default)]
    pub running: usize,
    /// Claimed executions that wait for one of them.
    #[serde(default)]
    pub waiting: usize,
    /// What keeps it from taking work, a sentence each.
    #[serde(default)]
    pub problems: Vec<String>,
    /// How executions ended in the last quarter of an hour.
    #[serde(default)]
    pub quarter: OutcomeCounts,
    /// And in the last day, or since it started.
    #[serde(default)]
    pub day: OutcomeCounts,
}

/// How many executions ended, and how many of them failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeCounts {
    /// The number of executions that ended.
    pub ended: u64,
    /// Those of them that are FAILED or TIMEOUT.
    pub failed: u64,
    /// The most frequent failures: an error type and its workflow, and how many.
    #[serde(default)]
    pub kinds: BTreeMap<String, u64>,
}

impl OutcomeCounts {
    /// So many kinds of failures are told.
    pub const KINDS_MAX: usize = 5;

    /// Forgets all but the most frequent failures.
    pub fn keep_most(&mut self) {
        let mut all: Vec<(String, u64)> = std::mem::take(&mut self.kinds).into_iter().collect();
        all.sort_by_key(|(_, count)| Reverse(*count));
        self.kinds = all.into_iter().take(Self::KINDS_MAX).collect();
    }

    /// Adds those of another supervisor.
    pub fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.failed += other.failed;
        for (kind, count) in &other.kinds {
            *self.kinds.entry(kind.clone()).or_default() += count;
        }
    }
}

impl FleetView {
    /// Those that were found, without those that left a while ago.
    pub fn of(found: Vec<FleetRecord>) -> Self {
        let mut members: Vec<FleetMemberView> = found.into_iter().map(FleetMemberView::of).collect();
        for place in 0..members.len() {
            if members[place].life == SupervisorLife::Silent
                && members[place..].iter().any(|it| it.follows(&members[place]))
            {
                members[place].life = SupervisorLife::Replaced;
            }
        }
        members.retain(|one| !one.is_past());
        Self { supervisors: members }
    }

    /// Those that live and serve this queue, for a person; without names only that there are some.
    pub fn serving(&self, queue: &str, with_names: bool) -> Vec<String> {
        let serves = |one: &&FleetMemberView| {
            let lives = matches!(one.life, SupervisorLife::Serving | SupervisorLife::Troubled);
            lives && one.said.as_ref().is_some_and(|said| said.queues.iter().any(|served| served == queue))
        };
        let serving = self.supervisors.iter().filter(serves);
        match with_names {
            true => serving.map(|one| format!("{}, process {}", one.host, one.process_id)).collect(),
            false => serving.take(1).map(|_| "another one".to_owned()).collect(),
        }
    }
}

impl FleetMemberView {
    /// True when it was started with the files of this one, which only one at a time can have.
    fn follows(&self, earlier: &Self) -> bool {
        self.host == earlier.host && self.data_dir == earlier.data_dir && self.started_at > earlier.started_at
    }

    /// True when nobody needs to know of it any more.
    fn is_past(&self) -> bool {
        matches!(self.life, SupervisorLife::Left | SupervisorLife::Replaced)
            && self.holds == 0
            && self.silent_seconds.is_some_and(|seconds| seconds > LEFT_SHOWN_SECONDS)
    }

    fn of(record: FleetRecord) -> Self {
        let FleetRecord { supervisor, version, state, silent_for, holds } = record;
        // What a later version says may be more than is known here, and what is missing has its default.
        let said: Option<SupervisorWord> = state.and_then(|state| serde_json::from_str(state.get()).ok());
        let silent_seconds = silent_for.map(|silent| silent.as_secs_f64());
        Self {
            id: supervisor.id,
            host: supervisor.host,
            process_id: supervisor.process_id,
            version,
            started_at: supervisor.started_at,
            http_address: supervisor.http_address,
            data_dir: supervisor.data_dir,
            life: life(said.as_ref(), silent_seconds),
            silent_seconds,
            holds,
            said,
        }
    }
}

fn life(said: Option<&SupervisorWord>, silent_seconds: Option<f64>) -> SupervisorLife {
    match (said, silent_seconds) {
        (Some(said), _) if said.left => SupervisorLife::Left,
        (Some(_), Some(seconds)) if seconds > SILENT_AFTER_SECONDS => SupervisorLife::Silent,
        (Some(said), Some(_)) if said.draining => SupervisorLife::Draining,
        (Some(said), Some(_)) if !said.problems.is_empty() => SupervisorLife::Troubled,
        (Some(_), Some(_)) => SupervisorLife::Serving,
        (None, _) | (_, None) => SupervisorLife::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_is_told_by_the_last_word_and_the_silence_after_it() {
        let word = |left, draining, problems: &[&str]| SupervisorWord {
            left,
            draining,
            problems: problems.iter().map(|one| (*one).to_owned()).collect(),
            ..SupervisorWord::default()
        };
        let plain = word(false, false, &[]);
        assert_eq!(life(Some(&plain), Some(9.0)), SupervisorLife::Serving);
        assert_eq!(life(Some(&plain), Some(31.0)), SupervisorLife::Silent);
        assert_eq!(life(Some(&word(true, true, &[])), Some(31.0)), SupervisorLife::Left);
        assert_eq!(life(Some(&word(false, true, &["x"])), Some(1.0)), SupervisorLife::Draining);
        assert_eq!(life(Some(&word(false, false, &["x"])), Some(1.0)), SupervisorLife::Troubled);
        assert_eq!(life(None, None), SupervisorLife::Unknown);
    }
}
