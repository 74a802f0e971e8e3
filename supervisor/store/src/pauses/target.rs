//! What can be paused, and how it is written.

use std::fmt;
use std::str::FromStr;

use muster_core::execution::check;
use uuid::Uuid;

/// What a pause is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PauseTarget {
    /// Everything there is.
    All,
    /// What waits in the queue of this name.
    Queue(String),
    /// The executions of the workflow of this name.
    Workflow(String),
    /// What runs for this organization.
    Organization(Uuid),
}

/// A text that says nothing that can be paused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be paused: give all, queue:NAME, workflow:NAME or organization:KEY")]
pub struct InvalidPauseTarget(pub String);

impl PauseTarget {
    /// False for a queue that nothing can wait in.
    fn can_be(&self) -> bool {
        match self {
            Self::Queue(name) => check::queue_name(name).is_ok(),
            Self::All | Self::Workflow(_) | Self::Organization(_) => true,
        }
    }

    /// True when its rows stand outside of the claim while it is paused.
    pub(crate) fn parks(&self) -> bool {
        match self {
            Self::All | Self::Queue(_) => false,
            Self::Workflow(_) | Self::Organization(_) => true,
        }
    }

    /// The word for its kind, as in a column.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Queue(_) => "queue",
            Self::Workflow(_) => "workflow",
            Self::Organization(_) => "organization",
        }
    }

    /// Its name among those of its kind; of everything the empty text.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::All => String::new(),
            Self::Queue(name) | Self::Workflow(name) => name.clone(),
            Self::Organization(id) => id.to_string(),
        }
    }

    /// What two columns say.
    pub(crate) fn of(kind: &str, name: &str) -> Option<Self> {
        match (kind, name) {
            ("all", "") => Some(Self::All),
            (_, "") => None,
            ("queue", name) => Some(Self::Queue(name.to_owned())),
            ("workflow", name) => Some(Self::Workflow(name.to_owned())),
            ("organization", id) => id.parse().ok().map(Self::Organization),
            _ => None,
        }
    }
}

impl fmt::Display for PauseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Queue(_) | Self::Workflow(_) | Self::Organization(_) => {
                write!(f, "{}:{}", self.kind(), self.name())
            }
        }
    }
}

impl FromStr for PauseTarget {
    type Err = InvalidPauseTarget;

    fn from_str(text: &str) -> Result<Self, InvalidPauseTarget> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        Self::of(kind, name)
            .filter(|target| target.to_string() == text && target.can_be())
            .ok_or_else(|| InvalidPauseTarget(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_paused_is_read_as_it_is_written() {
        let id = Uuid::from_u128(7);
        let organization = format!("organization:{id}");
        for text in ["all", "queue:python", "workflow:billing/a:b", organization.as_str()] {
            assert_eq!(text.parse::<PauseTarget>().unwrap().to_string(), text);
        }
        for text in
            ["", "all:", "queue", "queue:", "workflow", "organization:acme", "everything", "ALL", "queue:a b"]
        {
            assert!(text.parse::<PauseTarget>().is_err(), "{text}");
        }
    }
}
