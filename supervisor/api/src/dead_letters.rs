//! Dead letters: messages of RabbitMQ that could not be used.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The dead letters of a queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetters)]
pub struct DeadLettersView {
    /// Which queue they were in.
    pub queue: String,
    /// The oldest of them, the oldest first.
    pub letters: Vec<DeadLetterView>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    /// What it is called, made of its content: letters of the same bytes have the same key.
    pub key: String,
    /// Which execution it was meant for; null when that cannot be read.
    pub execution_id: Option<Uuid>,
    /// Why it could not be used.
    pub reason: String,
    /// The message itself; bytes that are no UTF-8 are replaced.
    pub message: String,
}

/// Which dead letters are put back, or thrown away: all, those of an execution, or those of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DeadLetterSelection)]
pub struct DeadLetterWish {
    /// Of which queue; left out, of the first one that is served here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue: Option<String>,
    /// True: all that are there now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Those of this execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_id: Option<Uuid>,
    /// Those of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key: Option<String>,
    /// With a key, where they are put back: this message instead, and of several with the key the first one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
}

/// How many dead letters went where they were to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLettersMoved)]
pub struct DeadLettersMovedView {
    /// So many are in the queue again.
    pub replayed: usize,
    /// So many of these had a row that had failed for want of a usable message, and can run now.
    pub reopened: usize,
    /// So many were thrown away.
    pub purged: u32,
}
