//! Whether the supervisor can take work, in words for people and programs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the supervisor can take work, part by part.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// True when every part is ready.
    pub ready: bool,
    /// Each part; none for who shows no token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(inline)]
    pub parts: Vec<ReadinessPart>,
}

/// One thing that the supervisor needs for its work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReadinessPart {
    /// store, queue, bus, workers, outbox, intake ...
    pub part: String,
    /// True when the part does its work.
    pub ready: bool,
    /// In words: what it is, or what is wrong and what to do.
    pub detail: String,
}

impl Readiness {
    /// Sums up the parts: ready when all of them are.
    pub fn of(parts: Vec<ReadinessPart>) -> Self {
        Self { ready: parts.iter().all(|part| part.ready), parts }
    }

    /// What a stranger may know: errors of a database or of a worker may quote what is none of theirs.
    pub fn without_parts(self) -> Self {
        Self { parts: Vec::new(), ..self }
    }
}
