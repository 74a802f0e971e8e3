//! Confinement: the walls that the operating system holds around a worker, so that the code of one execution reaches
//! neither the supervisor nor another worker.
//!
//! A [`ConfinementPlan`] says which walls a process gets. The supervisor prepares them, and the new process puts them up
//! around itself before it executes the worker's program: so they stand before the first instruction of that program, in
//! whatever language it is. Which walls stand on this machine, and why not, is [`worker_walls`].

mod files;
mod landlock_domain;
mod plan;
mod prepared;
mod privileges;
mod spare_domain;
mod system_calls;
mod user_database;
mod users;
mod walls;

pub use files::{FileSettings, allowed_files};
pub use plan::{ConfinementLevel, ConfinementPlan, ResourceLimits, WorkerUser};
pub(crate) use prepared::{PreparedWalls, WallFailure};
pub(crate) use spare_domain::SpareDomain;
pub use users::{UserLease, WorkerUsers, user_named};
pub use walls::{KernelFacts, WORKER_WALL_NAMES, worker_walls};

use crate::process::GroupLimits;

/// What the settings say of the walls around all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What is the same for each.
    pub plan: ConfinementPlan,
    /// Who they run as, where that is not the supervisor's user.
    pub users: Option<WorkerUsers>,
    /// Each has a temporary folder of its own.
    pub private_temporary: bool,
    /// What each may use together with all it started, at every level.
    pub group_limits: GroupLimits,
}
