//! What is wrong with a wish, and where in it.

use muster_store::StoreError;

use crate::secret_keys::SecretKeyError;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionProblem {
    /// Where it is, as the keys of a file spell it: `workflows."billing/invoice".timeout_seconds`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
    /// What it means to whoever asked.
    pub kind: ProblemKind,
}

/// What a problem means to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// What is to be removed is not there.
    NotFound,
    /// It cannot be so.
    Invalid,
}

impl std::fmt::Display for DefinitionProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Why definitions were not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// All that is wrong with what is wanted. Nothing was changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Problems(Vec<DefinitionProblem>),
    /// Others changed definitions again and again meanwhile.
    #[error("others keep changing what is defined: nothing was changed, try again")]
    Contended,
    /// A secret cannot be encrypted or decrypted.
    #[error(transparent)]
    Keys(#[from] SecretKeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
