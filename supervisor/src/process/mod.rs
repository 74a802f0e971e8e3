//! Operating-system processes: how a worker is started, signalled, watched and reaped on Linux.
//!
//! Everything that touches a process lives here, and only here: spawning is a lint error elsewhere. This
//! module knows nothing of frames, executions or the pool.

mod births;
mod descendants;
mod descriptor_limit;
mod descriptors;
mod family;
mod group;
mod identity;
mod launch;
mod leftovers;
mod mark;
mod memory;
mod orphans;
mod spawner;
mod wall;
mod watch;

pub use births::{Birth, Births};
pub use descendants::{Processes, Seen, children};
pub use descriptor_limit::{
    DESCRIPTORS_ASIDE, DESCRIPTORS_PER_WORKER, connections_within, descriptors_for, raise_descriptor_limit,
};
pub use descriptors::close_inherited_on_exec;
pub use family::Family;
pub use group::Group;
pub use identity::{Identity, Whereabouts};
pub use launch::{Launch, LaunchError};
pub use leftovers::{Leftovers, LeftoversError};
pub use memory::resident_bytes;
pub use orphans::reap_orphans;
pub use spawner::{Child, PIPE_BYTES, Spawner};
pub use wall::{Wall, close_to_others, walls};
pub use watch::{ExitWatch, abandon};
