//! Space that is promised before a run begins, so that its outcome has a place whatever else fills the disk.

use rustix::fs::{FallocateFlags, fallocate};

use super::{OutboxError, OutcomeOutbox};

impl OutcomeOutbox {
    /// Makes sure that so many bytes can be appended, as far as the bound allows them, whatever else fills the
    /// disk meanwhile. Called with what all running slots may need, before one of them runs, and again once the
    /// file was emptied: that gives the space back.
    ///
    /// # Errors
    /// When the disk does not allow it.
    pub fn reserve(&self, bytes: u64) -> Result<(), OutboxError> {
        let bytes = bytes.min(self.max_bytes.saturating_sub(self.end));
        if bytes == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.end, bytes) {
            // Some file systems cannot promise space; then the append finds out.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            Err(error) => Err(self.disk(error.into())),
        }
    }
}
