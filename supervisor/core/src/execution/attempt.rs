//! One attempt at an execution: the fence.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One attempt at one execution. The number rises with every claim and is never reused, so together with
/// the lease owner it fences every write, and it keys logs and changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attempt {
    /// The execution that is tried.
    pub execution_id: Uuid,
    /// The number of the attempt, counted from 1.
    pub number: u32,
}

impl Attempt {
    /// Names the attempt with this number, counted from 1.
    pub fn new(execution_id: Uuid, number: u32) -> Self {
        Self { execution_id, number }
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.execution_id, self.number)
    }
}
