//! What supervisors left that were killed: found by their locks, which a dead process does not hold.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::LOCK;
use super::remove::remove_or_say;

/// Removes the folders of this user's supervisors that do not live.
pub(super) fn remove_abandoned(parent: &Path, prefix: &str) {
    let us = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let path = entry.path();
        let is_ours = path.symlink_metadata().is_ok_and(|seen| seen.is_dir() && seen.uid() == us);
        if is_ours && is_abandoned(&path) {
            remove_or_say(&path);
        }
    }
}

/// True when nobody holds the lock. A folder without one was being removed when its supervisor was killed.
fn is_abandoned(folder: &Path) -> bool {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits();
    let flags = i32::try_from(no_follow).unwrap_or_default();
    match File::options().read(true).custom_flags(flags).open(folder.join(LOCK)) {
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
