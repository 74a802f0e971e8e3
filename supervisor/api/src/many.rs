//! What is cancelled or run again by what it has in common.

use std::fmt;

use jiff::Timestamp;
use muster_core::execution::Status;
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

/// Which executions are meant: those that all of this is true of. At least one field must say which.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Selection)]
pub struct SelectionRequest {
    /// In one of these states; left out, for a cancel PENDING and RUNNING, for a retry FAILED and TIMEOUT.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(schema_with = statuses)]
    pub statuses: Vec<Status>,
    /// Of the workflow of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub workflow: Option<String>,
    /// In this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue: Option<String>,
    /// Of this organization, by its key or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// That ended with an error of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_type: Option<String>,
    /// Created then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub since: Option<Timestamp>,
    /// Created before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub until: Option<Timestamp>,
    /// Goes on where the answer before ended: its next_cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cursor: Option<String>,
    /// Only count them.
    pub dry_run: bool,
}

impl SelectionRequest {
    /// Whether it says of any executions that they are not meant.
    pub fn narrows(&self) -> bool {
        let Self { statuses, workflow, queue, organization, error_type, since, until, cursor: _, dry_run: _ } =
            self;
        let names = [workflow, queue, organization, error_type];
        !statuses.is_empty()
            || names.into_iter().any(Option::is_some)
            || [since, until].into_iter().any(Option::is_some)
    }
}

/// As JSON, for the log.
impl fmt::Display for SelectionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

fn statuses() -> utoipa::openapi::schema::Array {
    utoipa::openapi::schema::ArrayBuilder::new().items(Status::schema()).build()
}

/// What became of some of the executions that are meant, from the newest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ManyAnswer)]
pub struct ManyView {
    /// How many of those that were looked at are meant.
    pub matched: u64,
    /// How many of them waited or were over before, and are done with: cancelled, or submitted again.
    pub done: u64,
    /// How many of them run, and are asked to end.
    pub asked: u64,
    /// How many of them nothing has to be done for: they were over, asked or submitted again before. What is only counted
    /// says so of retries.
    pub unchanged: u64,
    /// What could not be done, a sentence each, the first ten.
    pub problems: Vec<String>,
    /// Where the next request goes on; null when all were looked at.
    pub next_cursor: Option<String>,
}

impl ManyView {
    /// Adds what another request came to, which went on from here.
    pub fn add(&mut self, other: Self) {
        self.matched += other.matched;
        self.done += other.done;
        self.asked += other.asked;
        self.unchanged += other.unchanged;
        self.problems.extend(other.problems);
        self.next_cursor = other.next_cursor;
    }
}
