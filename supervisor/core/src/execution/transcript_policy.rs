//! Which executions leave a transcript, as the settings say it.

/// Which executions leave a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptPolicy {
    /// No execution leaves one.
    None,
    /// Executions that do not succeed leave one.
    Failed,
    /// Every execution leaves one.
    All,
}
