//! Whether a folder has changed since it was listed: one question to the system instead of a listing after each run.
//!
//! Every name that comes or goes changes the folder's times, which nobody can set back all of. But the system's clock
//! for them has ticks, and two changes in one tick look the same. So what was listed counts only once the folder has
//! looked the same for longer than any tick.
//!
//! The question is asked of the folder itself, which is held open, and not of its path: that costs less than half. A folder
//! that is moved or removed, so that its path may lead to another one, has changed its times by that, too.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::fstat;

/// Longer than any tick of a clock of a file system.
const UNCHANGED_FOR: Duration = Duration::from_millis(50);

/// What a change of a folder changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FolderState {
    device: u64,
    inode: u64,
    changed: (i64, u64),
    modified: (i64, u64),
    links: u64,
}

impl FolderState {
    /// How the folder is now.
    pub(super) fn of(folder: impl AsFd) -> Option<Self> {
        let seen = fstat(folder).ok()?;
        Some(Self {
            device: seen.st_dev as u64,
            inode: seen.st_ino as u64,
            changed: (seen.st_ctime as i64, seen.st_ctime_nsec as u64),
            modified: (seen.st_mtime as i64, seen.st_mtime_nsec as u64),
            links: seen.st_nlink as u64,
        })
    }
}

/// What is known of a folder without listing it.
#[derive(Debug, Default)]
pub(super) struct KnownClean {
    /// The folder that its path led to when it was listed last.
    folder: Option<OwnedFd>,
    /// How it looks, and since when it has looked so.
    since: Option<(FolderState, Instant)>,
    /// It was listed when it had looked so for long enough, and was clean.
    is_clean: bool,
}

impl KnownClean {
    /// True when it is as clean as it was when it was listed.
    pub(super) fn holds(&self) -> bool {
        self.is_clean && self.folder.as_ref().and_then(FolderState::of).is_some_and(|now| self.looked(now))
    }

    fn looked(&self, state: FolderState) -> bool {
        self.since.is_some_and(|(known, _)| known == state)
    }

    /// This folder looked so at this moment, and was listed after that.
    pub(super) fn listed(&mut self, folder: OwnedFd, (state, at): (FolderState, Instant), is_clean: bool) {
        self.folder = Some(folder);
        match self.since {
            Some((known, since)) if known == state => {
                self.is_clean = is_clean && at.saturating_duration_since(since) > UNCHANGED_FOR;
            }
            Some(_) | None => (self.since, self.is_clean) = (Some((state, at)), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use super::*;

    fn open(path: &Path) -> OwnedFd {
        File::open(path).unwrap().into()
    }

    #[test]
    fn a_listing_counts_once_the_folder_has_looked_the_same_for_longer_than_a_tick() {
        let folder = tempfile::tempdir().unwrap();
        let (mut known, begin) = (KnownClean::default(), Instant::now());
        let mut listed = |milliseconds, is_clean| {
            let folder = open(folder.path());
            let looked = (FolderState::of(&folder).unwrap(), begin + Duration::from_millis(milliseconds));
            known.listed(folder, looked, is_clean);
            known.holds()
        };
        assert!(!listed(0, true), "a change in the same tick would look the same");
        assert!(!listed(50, true));
        assert!(listed(60, true));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(!listed(70, true), "it looks different now");
        assert!(!listed(200, false), "one that was not clean never is by looking the same");
        assert!(listed(300, true));
    }

    #[test]
    fn whatever_is_made_or_put_in_its_place_changes_how_it_looks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        std::fs::create_dir(&path).unwrap();
        let changes = |what: &str, change: &dyn Fn()| {
            let held = open(&path);
            let before = FolderState::of(&held).unwrap();
            std::thread::sleep(UNCHANGED_FOR);
            change();
            assert_ne!(FolderState::of(&held).unwrap(), before, "{what}");
        };
        changes("a file", &|| std::fs::write(path.join("file"), "").unwrap());
        changes("a file that goes", &|| std::fs::remove_file(path.join("file")).unwrap());
        changes("a folder", &|| std::fs::create_dir(path.join("inner")).unwrap());
        changes("times that were set back", &|| {
            std::fs::write(path.join("file"), "").unwrap();
            let old = std::time::SystemTime::UNIX_EPOCH;
            File::open(&path).unwrap().set_modified(old).unwrap();
        });
        changes("another folder in its place", &|| {
            std::fs::rename(&path, folder.path().join("two")).unwrap();
            std::fs::create_dir(&path).unwrap();
        });
        changes("nothing in its place", &|| std::fs::remove_dir(&path).unwrap());
    }
}
