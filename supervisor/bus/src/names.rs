//! What keys and channels are called, and how long keys live. Other programs depend on these names.

use std::time::Duration;

use uuid::Uuid;

/// How long a pending record waits to be claimed.
pub const PENDING_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long keys of a run outlive its timeout, should nobody clean them up.
pub const RUN_LIFE_BEYOND_TIMEOUT: Duration = Duration::from_secs(3600);
/// How long a sync reply waits for whoever asked.
pub const REPLY_LIFE: Duration = Duration::from_secs(60);
/// How long prewarmed values are kept.
pub const CACHE_LIFE: Duration = Duration::from_secs(300);
/// How long a heartbeat is kept: a supervisor that stops is gone from the list after this.
pub const HEARTBEAT_LIFE: Duration = Duration::from_secs(30);
/// How often a supervisor renews its heartbeat.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// How long the mark of a supervisor that tries whether it may write is kept.
#[cfg(feature = "redis")]
pub(crate) const PROBE_LIFE: Duration = Duration::from_secs(5);
/// How many lines the live log of a run keeps.
pub const LIVE_LOG_MAX_LINES: usize = 1000;

/// Builds the names. Every one begins with the prefix of the settings.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// Puts the names of keys and channels under this prefix.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(crate) fn pending(&self, id: Uuid) -> String {
        format!("{}:pending:{id}", self.prefix)
    }

    pub(crate) fn context(&self, id: Uuid) -> String {
        format!("{}:context:{id}", self.prefix)
    }

    pub(crate) fn logs(&self, id: Uuid) -> String {
        format!("{}:logs:{id}", self.prefix)
    }

    pub(crate) fn changes(&self, id: Uuid, attempt: u32) -> String {
        format!("{}:changes:{id}:{attempt}", self.prefix)
    }

    pub(crate) fn result(&self, id: Uuid) -> String {
        format!("{}:result:{id}", self.prefix)
    }

    pub(crate) fn heartbeat(&self, supervisor: Uuid) -> String {
        format!("{}:pool:{supervisor}", self.prefix)
    }

    /// What is written to see whether the server takes writes.
    #[cfg(feature = "redis")]
    pub(crate) fn probe(&self) -> String {
        format!("{}:probe", self.prefix)
    }

    pub(crate) fn cache(&self, key: &CacheKey) -> String {
        match key {
            CacheKey::Config { organization_id: Some(id) } => format!("{}:sdk:{id}:config", self.prefix),
            CacheKey::Config { organization_id: None } => format!("{}:sdk:global:config", self.prefix),
            CacheKey::Workflow { id } => format!("{}:workflow:{id}", self.prefix),
        }
    }

    pub(crate) fn without_prefix<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(&self.prefix).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name)
    }

    pub(crate) fn channel(&self, channel: &Channel) -> String {
        format!("{}:{channel}", self.prefix)
    }
}

/// A prewarmed value that supervisors share. None holds a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheKey {
    /// The merged configuration an organization sees, and who it is.
    Config {
        /// The organization's id; `None` is the global configuration.
        organization_id: Option<Uuid>,
    },
    /// One row of `workflows`.
    Workflow {
        /// The id of the row.
        id: Uuid,
    },
}

/// A channel that messages are published on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Status changes and log lines of one execution.
    Execution(Uuid),
    /// One message per status change of any execution.
    Executions,
    /// What the pools of all supervisors are doing.
    Pool,
    /// Requests to end an execution, `{"execution_id"}`, which supervisors listen to.
    Cancel,
    /// Commands for supervisors, `{"action": …}`.
    Command,
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Execution(id) => write!(f, "execution:{id}"),
            Self::Executions => f.write_str("executions"),
            Self::Pool => f.write_str("pool"),
            Self::Cancel => f.write_str("cancel"),
            Self::Command => f.write_str("command"),
        }
    }
}

/// A text that names no channel one may listen to.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no channel: use execution:ID, executions or pool")]
pub struct UnknownChannel(String);

/// The channels a watcher may ask for; commands are not among them.
impl std::str::FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("execution", id)) => id.parse().ok().map(Self::Execution),
            None if text == "executions" => Some(Self::Executions),
            None if text == "pool" => Some(Self::Pool),
            Some(_) | None => None,
        }
        .ok_or_else(|| UnknownChannel(text.to_owned()))
    }
}
