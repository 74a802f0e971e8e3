//! Limits for whoever sets them and asks about them.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::limit::LimitTerms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Displaced, LimitRecord, WorkflowTerms};
use crate::{ExecutionRecord, Result};

/// The limits that are set, and what happens at them.
#[async_trait]
pub trait LimitStore: Debug + Send + Sync + 'static {
    /// All limits that are set, by name.
    async fn limits(&self) -> Result<Vec<LimitRecord>>;

    /// One limit; `None` when nobody has set it.
    async fn limit(&self, name: &str) -> Result<Option<LimitRecord>>;

    /// Sets what a limit says, from the next claim on. Who waits and has room now is let go at once; what runs goes on.
    async fn set_limit(&self, name: &str, terms: &LimitTerms) -> Result<LimitRecord>;

    /// Writes what code declares of these workflows, for all processes; of what it declares nothing any more, nothing. The
    /// last word counts.
    async fn declare_workflows(&self, declared: &[(String, WorkflowTerms)]) -> Result<()>;

    /// Reads what is said of workflows if it has changed, for what this process writes and claims from then on; and sets
    /// workflows' own limits where somebody changed rows by hand.
    async fn follow_workflows(&self) -> Result<()>;

    /// Forgets a limit, and lets go what waits for it. False: nobody had set it.
    async fn remove_limit(&self, name: &str) -> Result<bool>;

    /// How full the limits are: those that are set, and those that somebody is in.
    async fn limit_uses(&self) -> Result<Vec<LimitUse>>;

    /// What this row waits for at a limit, or would if a claim looked at it now; `None` when all its limits have room,
    /// or it does not wait.
    async fn limit_wait(&self, record: &ExecutionRecord) -> Result<Option<LimitWait>>;

    /// Lets go what waits for a rate and may start now; gives how long it is until the next may. `None`: nobody waits.
    async fn open_rates(&self) -> Result<Option<Duration>>;

    /// Waits until somebody waits for a rate who did not before, in this process.
    async fn rate_waited_for(&self);

    /// Waits for executions that made room for newer ones or were not let in, and takes them: this process is to tell of
    /// them.
    async fn displaced(&self) -> Vec<Displaced>;

    /// Puts right what a crash left: who is counted and does not run, who runs and is not counted, who waits and has
    /// room.
    async fn sweep_limits(&self) -> Result<LimitSweep>;
}

/// How full a limit is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUse {
    /// The name of the limit.
    pub name: String,
    /// How many run in it.
    pub running: u64,
    /// How many wait for room in it; a hundred thousand may be more.
    pub waiting: u64,
}

/// What somebody waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitWait {
    /// The name of the limit.
    pub name: String,
    /// For which key there is no room; `None`: for anybody.
    pub key: Option<String>,
    /// How many may run; `None`: there is room again, and it is let go in a moment.
    pub most: Option<u32>,
    /// How many do.
    pub running: u32,
    /// Some of them.
    pub holders: Vec<Uuid>,
    /// How many wait for the same before it, a thousand at most.
    pub before: u64,
    /// When its rate lets one more start, where it is that; what runs does not matter then.
    pub opens_at: Option<Timestamp>,
}

/// What a sweep put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitSweep {
    /// They were counted and did not run.
    pub struck: usize,
    /// They ran and were not counted: this must not happen.
    pub noted: usize,
    /// They waited and had room.
    pub let_go: usize,
}
