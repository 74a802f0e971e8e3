//! How a client is told that something went wrong.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// Which kind, as a relative address: `/problems/not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, in words that are always the same.
    pub title: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What happened here, and what to do.
    pub detail: String,
    /// All that is wrong with a request, a sentence each; absent where `detail` says it all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    pub problems: Vec<String>,
    /// Where a limit is full: an execution that is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_id: Option<Uuid>,
    /// For a program of the supervisor's machine that showed no token: the file that keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub token_file: Option<String>,
}
