//! What a check comes to.

/// Why a check did not pass.
#[derive(Debug)]
pub(super) enum CheckFailure {
    /// The worker broke the protocol.
    Failed { expected: String, seen: String },
    /// The worker could not be held to it.
    NotChecked(String),
}

impl CheckFailure {
    pub(super) fn failed(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Failed { expected: expected.into(), seen: seen.into() }
    }
}

/// Nothing found is a pass.
pub(super) type Checked = Result<(), CheckFailure>;
