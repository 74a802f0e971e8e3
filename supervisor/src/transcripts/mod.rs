//! Transcripts: the frames of executions that did not succeed, on disk in the data directory.
//!
//! A thread of their own writes them, because neither a worker nor an outcome waits for a file. They are a help
//! for people and never the only record of anything: when there are too many they give way, oldest first.

mod folder;
mod keeper;
mod show;
mod tidy;

pub use folder::{Folder, FolderError};
pub use keeper::{Ended, Keeper};
pub use show::describe;
