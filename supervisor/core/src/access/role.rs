//! What somebody may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the holder of a token may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look at everything, and change nothing.
    View,
    /// Run things and stop them: submit, cancel, retry, pause, and the pool.
    Operate,
    /// Change what is defined, remove what is kept, and say who else is let in.
    Admin,
}

impl Role {
    /// Every role, from the one that may least.
    pub const ALL: [Self; 3] = [Self::View, Self::Operate, Self::Admin];

    /// The text stored in the database and shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no role: use view, operate or admin")]
pub struct UnknownRole(String);

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}
