//! Closing the file, so that a stop leaves it alone in its folder: a copy of it is whole, and one put in its place is not
//! mixed with what was beside the one before.

use std::time::Duration;

use super::SqliteStore;

/// Reading connections that are still out are waited for so long.
const READERS_LEAVE_WITHIN: Duration = Duration::from_secs(2);

impl SqliteStore {
    /// Closes every connection. What is asked of the store after this is told that it is closed.
    pub(super) async fn close_all(&self) {
        if tokio::time::timeout(READERS_LEAVE_WITHIN, self.readers.close()).await.is_err() {
            tracing::debug!("a connection that reads is still in use, so the -wal of the database may stay");
        }
        self.looks.close().await;
        self.writer.close().await;
    }
}
