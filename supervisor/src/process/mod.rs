//! Operating-system processes: how a worker is started, signalled, watched and reaped on Linux.
//!
//! Everything that touches a process lives here, and only here: spawning is a lint error elsewhere. This
//! module knows nothing of frames, executions or the pool.

mod descriptors;
mod group;
mod launch;
mod leftovers;
mod memory;
mod spawner;
mod watch;

pub use descriptors::close_inherited_on_exec;
pub use group::{Group, signal_name};
pub use launch::{Launch, LaunchError};
pub use leftovers::{Leftovers, LeftoversError};
pub use memory::resident_bytes;
pub use spawner::{Child, Spawner};
pub use watch::ExitWatch;
