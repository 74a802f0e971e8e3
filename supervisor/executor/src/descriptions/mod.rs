//! What the code declares of its workflows: said by workers, enforced by us.
//!
//! A worker describes its workflows before it is Ready. What it said stands for the whole pool, because all workers
//! run the same code: limits and retries of runs, and the parameters that are refused before a worker is asked. The request
//! and the workflow's row come before the code, the settings after it. Nothing here is kept when the process ends.

mod changed_code;
mod described;
mod registry;
mod set;

pub use described::{DescribedWorkflow, TimeLimit};
pub use registry::{BRIEF_LOOK_ENTRIES, Descriptions, WHOLE_LOOK_ENTRIES};
pub use set::DescribedSet;
