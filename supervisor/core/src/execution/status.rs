//! The states a row can be in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The state of an execution's row. The last four are terminal: exactly one of them is ever written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The execution waits to be claimed.
    Pending,
    /// The execution is claimed, and a lease protects it.
    Running,
    /// The function returned a value.
    Success,
    /// The function, its worker or its request failed.
    Failed,
    /// The deadline passed before the function ended.
    Timeout,
    /// Somebody asked for it to end.
    Cancelled,
}

impl Status {
    /// Every state, in the order in which an execution comes to it.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Success, Self::Failed, Self::Timeout, Self::Cancelled];

    /// The text stored in the database and shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// True when nothing may change the row any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Success | Self::Failed | Self::Timeout | Self::Cancelled => true,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no status.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status: use PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED")]
pub struct UnknownStatus(String);

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}
