//! Transcripts: the frames of executions that did not succeed, on disk in the data directory.
//!
//! A thread of their own writes them, because neither a worker nor an outcome waits for a file. They are a help
//! for people and never the only record of anything: when there are too many they give way, oldest first.

mod folder;
mod keeper;
mod redact;

pub use folder::{TranscriptFolder, TranscriptFolderError};
pub use keeper::{EndedAttempt, TranscriptKeeper};
