//! What happens to an execution that comes to a full limit, as it is written.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens to an execution that comes when a limit is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// It waits until there is room.
    #[default]
    Wait,
    /// It is refused: over HTTP with 409, else it is FAILED `LimitReached`.
    Reject,
    /// It takes the place of an older one that waits, which is CANCELLED `Superseded`.
    Replace,
    /// Those that wait are CANCELLED `Superseded`, those that run are asked to end, and it starts in their place.
    CancelRunning,
}

impl OnFull {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Reject, Self::Replace, Self::CancelRunning];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Reject => "reject",
            Self::Replace => "replace",
            Self::CancelRunning => "cancel_running",
        }
    }

    /// The one that this word says; `None` when no one does.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}
