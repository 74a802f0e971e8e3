//! Temporary folders of workers: each has one of its own, which is empty when a run begins in it.
//!
//! They lie in one folder of the supervisor's, below the system's temporary one and never in the data directory. A
//! file in it is locked for as long as the supervisor lives, so that what one left that was killed is known by the
//! next, in whatever container it is. Nothing here knows what runs.
//!
//! What is in a worker's folder is the worker's to arrange, while we look at it: links are never followed, and a
//! folder is only ever reached through the descriptor of the one it is in.

mod known_clean;
mod remove;
mod sweep;
mod worker_folder;

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

pub use worker_folder::WorkerFolder;

use crate::confinement::UserLease;
use crate::private;

/// What the folder of a supervisor is called, before its user and a number nobody has.
const PREFIX: &str = "muster-workers-";
/// The file that is locked while its supervisor lives.
const LOCK: &str = "lock";
/// Where things are moved that are to be removed.
const TRASH: &str = "trash";
/// Where workers note what they died of while they loaded it.
const LOADING: &str = "loading";
/// Other users may pass through on the way to a folder that is theirs, and see nothing.
const PASSED_BY_OTHERS: u32 = 0o711;

/// The temporary folders of one supervisor's workers. Dropping it removes them all.
#[derive(Debug)]
pub struct TemporaryFolders {
    base: PathBuf,
    next: AtomicU64,
    /// What is sent is removed; `None` once all is over.
    removals: Mutex<Option<mpsc::Sender<PathBuf>>>,
    remover: Mutex<Option<JoinHandle<()>>>,
    _lock: File,
}

impl TemporaryFolders {
    /// Makes the folder in the system's temporary one, and removes what supervisors left there that were killed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open() -> io::Result<Arc<Self>> {
        Self::open_in(&std::env::temp_dir())
    }

    fn open_in(parent: &Path) -> io::Result<Arc<Self>> {
        let prefix = format!("{PREFIX}{}-", rustix::process::geteuid().as_raw());
        let id = Uuid::new_v4().simple();
        // Under its name it is locked from the first moment on.
        let unborn = parent.join(format!(".{prefix}{id}"));
        let base = parent.join(format!("{prefix}{id}"));
        DirBuilder::new().mode(0o700).create(&unborn)?;
        let lock = private::file_options().write(true).create_new(true).open(unborn.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        DirBuilder::new().mode(0o700).create(unborn.join(TRASH))?;
        std::fs::set_permissions(&unborn, Permissions::from_mode(PASSED_BY_OTHERS))?;
        std::fs::rename(&unborn, &base)?;
        let (removals, received) = mpsc::channel::<PathBuf>();
        let parent = parent.to_owned();
        let remover = std::thread::Builder::new().name("temporary".to_owned()).spawn(move || {
            sweep::remove_abandoned(&parent, &prefix);
            for path in received {
                remove::remove_or_say(&path);
            }
        })?;
        Ok(Arc::new(Self {
            base,
            next: AtomicU64::new(0),
            removals: Mutex::new(Some(removals)),
            remover: Mutex::new(Some(remover)),
            _lock: lock,
        }))
    }

    /// Makes the folder of one worker.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(self: &Arc<Self>, owner: Option<Arc<UserLease>>) -> io::Result<WorkerFolder> {
        WorkerFolder::make(Arc::clone(self), owner)
    }

    /// The folder in which workers of one user note what they died of while they loaded it. It is there as long as the
    /// supervisor is, and nothing empties it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of_loading(&self, owner: Option<&UserLease>) -> io::Result<PathBuf> {
        let name =
            owner.map_or_else(|| LOADING.to_owned(), |lease| format!("{LOADING}-{}", lease.user().uid));
        let path = self.base.join(name);
        match worker_folder::make_folder(&path, owner) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
            made => made.map(|()| path),
        }
    }

    /// Removes all there is, and waits for that. Workers must have ended.
    pub fn close(&self) {
        self.removals.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(remover) = self.remover.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It ends when it has removed what it was sent; a panic of it was shown where it happened.
            let _ = remover.join();
            remove::remove_or_say(&self.base);
        }
    }

    /// A path in the base that nothing has.
    fn fresh(&self, below: &str) -> PathBuf {
        self.base.join(below).join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Removes it some time.
    fn discard(&self, path: PathBuf) {
        let removals = self.removals.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody who removes: then all is removed at once, and this with it.
        let _ = removals.as_ref().map(|removals| removals.send(path));
    }
}

impl Drop for TemporaryFolders {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn nothing_is_left_of_a_supervisor_that_ends() {
        let parent = tempfile::tempdir().unwrap();
        let folders = TemporaryFolders::open_in(parent.path()).unwrap();
        let worker = folders.make(None).unwrap();
        std::fs::write(worker.path().join("file"), "left").unwrap();
        assert_eq!(names_in(parent.path()).len(), 1);
        drop((worker, folders));
        assert_eq!(names_in(parent.path()), [""; 0]);
    }

    #[test]
    fn what_a_killed_one_left_is_removed_by_the_next_and_what_a_living_one_uses_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let prefix = format!("{PREFIX}{}-", rustix::process::geteuid().as_raw());
        let dead = parent.path().join(format!("{prefix}dead"));
        std::fs::create_dir_all(dead.join("3/deep/deeper")).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let other = parent.path().join("somebody-elses");
        std::fs::create_dir(&other).unwrap();
        let living = TemporaryFolders::open_in(parent.path()).unwrap();
        let worker = living.make(None).unwrap();
        drop(TemporaryFolders::open_in(parent.path()).unwrap());
        // The living one looked around, too, and may be the one who removes it.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while dead.exists() {
            assert!(std::time::Instant::now() < deadline, "{} stays", dead.display());
            std::thread::yield_now();
        }
        assert!(worker.path().is_dir() && other.is_dir());
    }
}
