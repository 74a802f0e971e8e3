//! The data directory: made for its owner alone, and locked, so that two supervisors never share it.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use muster_system::private::{self, NotPrivate};
use rustix::fs::{FlockOperation, flock};

/// The file in it that is locked.
const LOCK: &str = "lock";

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another supervisor uses the directory.
    #[error("{path} is in use by another supervisor ({holder}): stop it, or give this one its own data_dir")]
    InUse {
        /// The path of the directory.
        path: PathBuf,
        /// The process that holds it, as its lock file says.
        holder: String,
    },
    /// It cannot be for its owner alone.
    #[error("data_dir {path} cannot be used: {reason}")]
    Unfit {
        /// The path of the directory.
        path: PathBuf,
        /// Why not, and what to do.
        reason: NotPrivate,
    },
    /// It cannot be made or written.
    #[error("data_dir {path} cannot be used: {source}; make it writable or choose another")]
    Unusable {
        /// The path of the directory.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

/// The lock, held as long as this lives. The system frees it when the process dies, however it dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: File,
    is_lost: AtomicBool,
}

impl DataDir {
    /// Makes the directory if need be and locks it.
    ///
    /// # Errors
    /// When another supervisor holds it, or it cannot be written.
    pub fn lock(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        make_private(path)?;
        let open =
            private::file_options().read(true).write(true).create(true).truncate(false).open(path.join(LOCK));
        let mut lock = open.map_err(unusable)?;
        if let Err(error) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(unusable(error.into()));
            }
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            return Err(DataDirError::InUse { path: path.to_owned(), holder: holder.trim().to_owned() });
        }
        let note = format!("process {}\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(note.as_bytes()))
            .map_err(unusable)?;
        Ok(Self { path: path.to_owned(), lock, is_lost: AtomicBool::new(false) })
    }

    /// Whether the directory at its path is the one that was locked. When it is found not to be, that is told once.
    pub fn is_in_place(&self) -> bool {
        let file = |it: Metadata| (it.dev(), it.ino());
        let is_in_place = match std::fs::metadata(self.path.join(LOCK)).map(file) {
            Ok(here) => self.lock.metadata().is_ok_and(|held| here == file(held)),
            // What cannot be looked at may well be there.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        let was_lost = self.is_lost.swap(!is_in_place, Ordering::Relaxed);
        if !is_in_place && !was_lost {
            let data_dir = self.path.display();
            tracing::error!(%data_dir, "data_dir was removed or replaced: what is written to it is lost when this supervisor ends");
        }
        is_in_place
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder for its owner alone: parameters, results and the secrets of configurations are in it. One that
/// is there already is tightened, with all that is in it.
///
/// # Errors
/// When it cannot be made, or cannot be for its owner alone.
pub(super) fn make_private(path: &Path) -> Result<(), DataDirError> {
    let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
    private::make_folder(path).map_err(unusable)?;
    let rights = private::look(path).map_err(unusable)?;
    private::check_rights(&rights).map_err(|reason| DataDirError::Unfit { path: path.to_owned(), reason })?;
    let changed = private::tighten(path).map_err(unusable)?;
    if rights.is_open() {
        let mode = format!("{:o}", rights.mode());
        tracing::warn!(data_dir = %path.display(), mode, changed, "others could read data_dir: it is now for its owner alone");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some/where/data");
        let _lock = DataDir::lock(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn one_that_was_removed_or_replaced_is_not_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let held = DataDir::lock(&path).unwrap();
        assert!(held.is_in_place());
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        assert!(!held.is_in_place());
        let other = DataDir::lock(&path).unwrap();
        assert!(!held.is_in_place() && other.is_in_place());
        std::fs::remove_dir_all(&path).unwrap();
        std::fs::rename(folder.path().join("moved"), &path).unwrap();
        assert!(held.is_in_place());
    }

    #[test]
    fn one_that_was_open_is_shut_and_one_that_is_shared_is_refused() {
        use std::fs::{Permissions, set_permissions, write};
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        write(folder.path().join("muster.db"), "").unwrap();
        set_permissions(folder.path().join("muster.db"), Permissions::from_mode(0o644)).unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let _lock = DataDir::lock(folder.path()).unwrap();
        assert_eq!((mode(folder.path()), mode(&folder.path().join("muster.db"))), (0o700, 0o600));
        assert_eq!(mode(&folder.path().join("lock")), 0o600);
        set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        let refused = make_private(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("shared with other users (mode 1777)"), "{refused}");
    }

    #[test]
    fn a_second_supervisor_is_refused_and_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = DataDir::lock(&path).unwrap();
        let refused = DataDir::lock(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        DataDir::lock(&path).unwrap();
    }
}
