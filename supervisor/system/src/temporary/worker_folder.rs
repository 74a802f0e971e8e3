//! The temporary folder of one worker: emptied after each run, removed with the worker.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::fs::{CWD, Dir, Gid, Mode, Uid, fchown, mkdirat};
use rustix::io::Errno;

use super::known_clean::{FolderState, KnownClean};
use super::remove::{entries, move_entry, open_folder};
use super::{TRASH, TemporaryFolders};
use crate::confinement::UserLease;

/// A folder for one worker alone. Dropping it removes it.
#[derive(Debug)]
pub struct WorkerFolder {
    folders: Arc<TemporaryFolders>,
    path: PathBuf,
    /// Whose it is, where that is not this process's user. Nobody else gets that user while the folder is there.
    owner: Option<Arc<UserLease>>,
    /// What was in it when the worker was Ready: what modules made while they were loaded stays, as they do.
    kept: Mutex<BTreeSet<CString>>,
    known: Mutex<KnownClean>,
    /// The folder that this one is in, of the template that its worker was made of.
    _of_template: Option<Arc<Self>>,
}

impl WorkerFolder {
    pub(super) fn make(folders: Arc<TemporaryFolders>, owner: Option<Arc<UserLease>>) -> io::Result<Self> {
        let path = folders.fresh("");
        make_folder(&path, owner.as_deref())?;
        Ok(Self { folders, path, owner, kept: Mutex::default(), known: Mutex::default(), _of_template: None })
    }

    /// Makes the folder of a worker that a template makes, which has its id for a name. It is in the template's, where the template's walls let
    /// it write.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_within(self: &Arc<Self>, worker_id: &str) -> io::Result<Self> {
        let path = self.path.join(worker_id);
        make_folder(&path, self.owner.as_deref())?;
        let folders = Arc::clone(&self.folders);
        Ok(Self {
            folders,
            path,
            owner: self.owner.clone(),
            kept: Mutex::default(),
            known: Mutex::default(),
            _of_template: Some(Arc::clone(self)),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it now stays in it, until the worker ends.
    pub fn keep_what_is_there(&self) {
        let Ok(folder) = open_folder(CWD, &*self.path) else { return };
        let names = entries(&folder).unwrap_or_default().into_iter().map(|(name, _)| name);
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = names.collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = KnownClean::default();
    }

    /// True when a run left nothing in it. Where nothing was made since it was listed, that costs one question to the
    /// system.
    pub fn is_clean(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.holds() {
            return true;
        }
        let at = Instant::now();
        let opened =
            open_folder(CWD, &*self.path).ok().and_then(|folder| Some((FolderState::of(&folder)?, folder)));
        let Some((state, folder)) = opened else {
            *known = KnownClean::default();
            return false;
        };
        let is_clean = self.lists_clean(&folder);
        known.listed(folder, (state, at), is_clean);
        is_clean
    }

    fn lists_clean(&self, folder: &OwnedFd) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Dir::read_from(folder).is_ok_and(|entries| {
            entries.into_iter().all(|entry| {
                entry.is_ok_and(|entry| {
                    let name = entry.file_name();
                    name == c"." || name == c".." || kept.contains(name)
                })
            })
        })
    }

    /// Takes out what a run left in it. Removing that takes its time elsewhere.
    ///
    /// # Errors
    /// When something stays in it.
    pub fn empty(&self) -> io::Result<()> {
        let folder = match open_folder(CWD, &*self.path) {
            Ok(folder) => folder,
            Err(_) => self.make_anew()?,
        };
        let trash_path = self.folders.fresh(TRASH);
        mkdirat(CWD, &*trash_path, Mode::RWXU)?;
        let trash = open_folder(CWD, &*trash_path)?;
        let emptied = self.move_all(&folder, &trash);
        drop(trash);
        self.folders.discard(trash_path);
        Ok(emptied?)
    }

    fn move_all(&self, folder: &OwnedFd, trash: &OwnedFd) -> Result<(), Errno> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut count = 0_u64;
        loop {
            let mut left = entries(folder)?;
            left.retain(|(name, _)| !kept.contains(name));
            if left.is_empty() {
                return Ok(());
            }
            for (name, _) in left {
                count += 1;
                let new_name = CString::new(count.to_string()).unwrap_or_default();
                match move_entry(folder, &name, trash, &new_name) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// The worker has put something else in its place, or nothing.
    fn make_anew(&self) -> io::Result<OwnedFd> {
        let away = self.folders.fresh(TRASH);
        match std::fs::rename(&self.path, &away) {
            Ok(()) => self.folders.discard(away),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        make_folder(&self.path, self.owner.as_deref())?;
        Ok(open_folder(CWD, &*self.path)?)
    }
}

impl Drop for WorkerFolder {
    fn drop(&mut self) {
        self.folders.discard(std::mem::take(&mut self.path));
    }
}

pub(super) fn make_folder(path: &Path, owner: Option<&UserLease>) -> io::Result<()> {
    mkdirat(CWD, path, Mode::RWXU)?;
    if let Some(owner) = owner {
        let folder = open_folder(CWD, path)?;
        let (uid, gid) = (Uid::from_raw(owner.user().uid), Gid::from_raw(owner.user().gid));
        fchown(&folder, Some(uid), Some(gid))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder_in(parent: &Path) -> WorkerFolder {
        TemporaryFolders::open_in(parent).unwrap().make(None).unwrap()
    }

    #[test]
    fn what_a_run_leaves_goes_and_what_was_loaded_stays() {
        let parent = tempfile::tempdir().unwrap();
        let folder = folder_in(parent.path());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("module")).unwrap();
        assert!(!folder.is_clean());
        folder.keep_what_is_there();
        assert!(folder.is_clean());
        fs::create_dir_all(at("run/inner")).unwrap();
        fs::write(at("file"), "secret").unwrap();
        std::os::unix::fs::symlink("/etc", at("link")).unwrap();
        assert!(!folder.is_clean());
        folder.empty().unwrap();
        assert!(folder.is_clean() && at("module").is_dir());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_was_replaced_is_made_anew() {
        let (parent, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("kept"), "").unwrap();
        let folder = folder_in(parent.path());
        fs::remove_dir(folder.path()).unwrap();
        assert!(!folder.is_clean());
        folder.empty().unwrap();
        assert!(folder.is_clean());
        fs::remove_dir(folder.path()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), folder.path()).unwrap();
        assert!(!folder.is_clean());
        folder.empty().unwrap();
        assert!(folder.is_clean() && folder.path().symlink_metadata().unwrap().is_dir());
        assert!(elsewhere.path().join("kept").exists());
    }

    #[test]
    fn a_folder_within_another_outlives_the_template() {
        let parent = tempfile::tempdir().unwrap();
        let template = Arc::new(folder_in(parent.path()));
        let child = template.make_within("id").unwrap();
        drop(template);
        fs::write(child.path().join("file"), "").unwrap();
        assert!(child.path().is_dir());
    }
}
