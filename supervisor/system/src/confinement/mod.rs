//! Confinement: the walls that the operating system holds around a worker, so that the code of one execution reaches
//! neither the supervisor nor another worker.
//!
//! A [`ConfinementPlan`] says which walls a process gets. The supervisor prints it into the arguments of the helper,
//! which is its own executable: [`run_if_asked`] puts up the walls around itself and then executes the worker's
//! program. So the walls stand before the first instruction of that program, in whatever language it is, and the
//! spawn stays a `posix_spawn`. Which walls stand on this machine, and why not, is [`worker_walls`].

mod files;
mod helper;
mod landlock_domain;
mod plan;
mod privileges;
mod system_calls;
mod user_database;
mod users;
mod walls;

pub use files::{FileSettings, allowed_files};
pub use helper::{HELPER_PROGRAM, HELPER_WORD, run_if_asked};
pub use plan::{ConfinementLevel, ConfinementPlan, PlanError, ResourceLimits, WorkerUser};
pub use users::{UserLease, WorkerUsers, user_named};
pub use walls::{KernelFacts, WORKER_WALL_NAMES, worker_walls};

/// What the settings say of the walls around all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What is the same for each.
    pub plan: ConfinementPlan,
    /// Who they run as, where that is not the supervisor's user.
    pub users: Option<WorkerUsers>,
    /// Each has a temporary folder of its own.
    pub private_temporary: bool,
}
