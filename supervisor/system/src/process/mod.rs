//! Operating-system processes: how a worker is started, signalled, watched and reaped on Linux.
//!
//! Everything that touches a process lives here, and only here: spawning is a lint error elsewhere. This
//! module knows nothing of frames, executions or the pool.

mod belongings;
mod cgroup;
mod child_reaper;
mod descendants;
mod descriptor_limit;
mod descriptors;
mod exec_arguments;
mod fork_channel;
mod group;
mod group_signal;
mod guard;
mod identity;
mod launch;
mod mark;
mod memory;
mod orphaned_workers;
mod prepared_child;
mod process_tree;
mod program;
mod reaping;
mod running_program;
mod spawn_counter;
mod spawner;
mod starter;
mod vfork;
mod wall;
mod watch;

pub use belongings::WorkerBelongings;
pub use cgroup::{GroupLimits, LeafMemory, WorkerLeaves};
pub use child_reaper::{inherit_orphans, is_any_child_dead, reap_orphans};
pub use descendants::{ObservedProcess, ProcessTable, children};
pub use descriptor_limit::{
    DESCRIPTORS_ASIDE, DESCRIPTORS_PER_WORKER, connections_within, descriptors_for, raise_descriptor_limit,
};
pub use descriptors::close_inherited_on_exec;
pub use fork_channel::{ForkChannel, ForkRequest};
pub use group::ProcessGroup;
pub use group_signal::{kill_group, terminate_group};
pub use guard::{Guard, Guarded, guard_if_asked};
pub use identity::{ProcessIdentity, ProcessLiveness};
pub use launch::{Launch, LaunchError};
pub use memory::{MemoryWatch, TreeMemory, resident_bytes};
pub use orphaned_workers::{OrphanedWorkers, OrphanedWorkersError, OrphansFound};
pub use process_tree::ProcessTree;
pub use program::{LaunchedProgram, terminate_program};
pub use reaping::{ReapedProcess, cpu_time, oom_kills};
pub use running_program::RunningProgram;
pub use spawn_counter::{SpawnCounter, SpawnOrder};
pub use spawner::{PIPE_BYTES, SpawnedChild, Spawner};
pub use vfork::hear_signals;
pub use wall::{WALL_NAMES, Wall, close_to_others, walls};
pub use watch::{ExitWatch, abandon};
