//! Control groups of version 2: a leaf for each worker, in which all that it ever starts stays, wherever it goes.
//!
//! Plain files. A leaf is used where the supervisor may make one below the group it is in itself; where it may not,
//! descendants are found as well as a plain process can ([`super::ProcessTree`]). Limits are set where the system has
//! given us the controllers, and killing needs none.

mod delegation;
mod leaf;
mod leaves;
mod limits;

pub(super) use delegation::{controllers, own_folder};
pub use leaf::LeafMemory;
pub(super) use leaf::WorkerLeaf;
pub use leaves::WorkerLeaves;
pub use limits::GroupLimits;
