//! What a server that is there, and takes no writes, is to be called, and what an operator does about it.
//!
//! It is for refusals that hold for every write. One that is about a single command or key is not here.

use redis::ServerError;

/// Why a server takes no writes at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteRefusal {
    /// It is a replica.
    ReadOnly,
    /// Its memory is used up.
    Full,
    /// It could not save to its disk.
    CannotSave,
    /// It misses replicas.
    NoReplicas,
    /// It is reading its data after a start.
    Loading,
    /// The user of the URL may not write.
    Forbidden,
    /// It wants a password, and was given none.
    NoPassword,
}

impl WriteRefusal {
    /// The refusal that this error is one of, if it is.
    pub(super) fn of(error: &ServerError) -> Option<Self> {
        match error.code() {
            "READONLY" => Some(Self::ReadOnly),
            "OOM" => Some(Self::Full),
            "MISCONF" => Some(Self::CannotSave),
            "NOREPLICAS" => Some(Self::NoReplicas),
            "LOADING" => Some(Self::Loading),
            "NOPERM" => Some(Self::Forbidden),
            "NOAUTH" => Some(Self::NoPassword),
            _ => None,
        }
    }

    /// True when another server may be behind the same name by now.
    pub(super) fn wants_new_connection(self) -> bool {
        match self {
            Self::ReadOnly => true,
            Self::Full
            | Self::CannotSave
            | Self::NoReplicas
            | Self::Loading
            | Self::Forbidden
            | Self::NoPassword => false,
        }
    }
}

impl std::fmt::Display for WriteRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => {
                "it is read-only, a replica: point redis_url at the primary, or make this one it (REPLICAOF NO ONE)"
            }
            Self::Full => {
                "its memory is used up: raise its maxmemory, or let it evict keys (maxmemory-policy allkeys-lru)"
            }
            Self::CannotSave => {
                "it takes no writes because it cannot save to its disk (MISCONF): look at its log and its disk"
            }
            Self::NoReplicas => {
                "it takes no writes because too few replicas follow it (min-replicas-to-write): start them"
            }
            Self::Loading => "it is still loading its data after a start: wait",
            Self::NoPassword => "it wants a password: give it with its user in redis_url",
            Self::Forbidden => "its user may not write keys and channels under key_prefix: give it the ACL for them",
        })
    }
}
