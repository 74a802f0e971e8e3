//! What can be wrong with the outbox.

use std::io;
use std::path::PathBuf;

/// Why an outcome could not be kept, or not be read back.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The bound is reached. Take nothing new until the store is back.
    #[error("the outbox {path} would grow beyond {max_bytes} bytes")]
    Full {
        /// The path of the outbox.
        path: PathBuf,
        /// The size that the outbox may have.
        max_bytes: u64,
    },
    /// The disk failed or is full. What was in the file before is still there.
    #[error("the outbox {path} cannot be used: {source}; make room on its disk or fix it")]
    Disk {
        /// The path of the outbox.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A record that is whole cannot be understood: another version wrote it.
    #[error(
        "the outbox {path} holds a record at byte {offset} that cannot be read: {message}; finish it with the version that wrote it, or move the file away"
    )]
    Unreadable {
        /// The path of the outbox.
        path: PathBuf,
        /// Where in the file the record begins, in bytes.
        offset: u64,
        /// What is wrong with the record.
        message: String,
    },
}
