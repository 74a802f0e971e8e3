//! Whether a folder has changed since it was listed: one question to the system instead of a listing after each run.
//!
//! Every name that comes or goes changes the folder's times, which nobody can set back all of. But the system's clock
//! for them has ticks, and two changes in one tick look the same. So what was listed counts only once the folder has
//! looked the same for longer than any tick.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, FileType, statat};

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
    /// The folder at this path; `None` where there is none. A link to one is none.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let seen = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let state = Self {
            device: seen.st_dev as u64,
            inode: seen.st_ino as u64,
            changed: (seen.st_ctime as i64, seen.st_ctime_nsec as u64),
            modified: (seen.st_mtime as i64, seen.st_mtime_nsec as u64),
            links: seen.st_nlink as u64,
        };
        (FileType::from_raw_mode(seen.st_mode) == FileType::Directory).then_some(state)
    }
}

/// What is known of a folder without listing it.
#[derive(Debug, Default)]
pub(super) struct KnownClean {
    /// How it looks, and since when it has looked so.
    since: Option<(FolderState, Instant)>,
    /// It was listed when it had looked so for long enough, and was clean.
    is_clean: bool,
}

impl KnownClean {
    /// True when it is as clean as it was when it was listed.
    pub(super) fn holds(&self, state: FolderState) -> bool {
        self.is_clean && self.since.is_some_and(|(known, _)| known == state)
    }

    /// It looked like this at this moment, and was listed after that.
    pub(super) fn listed(&mut self, state: FolderState, at: Instant, is_clean: bool) {
        match self.since {
            Some((known, since)) if known == state => {
                self.is_clean = is_clean && at.saturating_duration_since(since) > UNCHANGED_FOR;
            }
            Some(_) | None => *self = Self { since: Some((state, at)), is_clean: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_counts_once_the_folder_has_looked_the_same_for_longer_than_a_tick() {
        let folder = tempfile::tempdir().unwrap();
        let state = FolderState::read(folder.path()).unwrap();
        let other = FolderState { links: state.links + 1, ..state };
        let (mut known, begin) = (KnownClean::default(), Instant::now());
        let later = |milliseconds| begin + Duration::from_millis(milliseconds);
        known.listed(state, begin, true);
        assert!(!known.holds(state), "a change in the same tick would look the same");
        known.listed(state, later(50), true);
        assert!(!known.holds(state));
        known.listed(state, later(60), true);
        assert!(known.holds(state) && !known.holds(other));
        known.listed(other, later(70), true);
        assert!(!known.holds(other) && !known.holds(state));
        known.listed(other, later(200), false);
        assert!(!known.holds(other), "one that was not clean never is by looking the same");
    }

    #[test]
    fn whatever_is_made_or_put_in_its_place_changes_how_it_looks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        std::fs::create_dir(&path).unwrap();
        let mut before = FolderState::read(&path).unwrap();
        let mut changes = |what: &str, change: &dyn Fn()| {
            std::thread::sleep(UNCHANGED_FOR);
            change();
            let now = FolderState::read(&path).unwrap();
            assert_ne!(now, before, "{what}");
            before = now;
        };
        changes("a file", &|| std::fs::write(path.join("file"), "").unwrap());
        changes("a file that goes", &|| std::fs::remove_file(path.join("file")).unwrap());
        changes("a folder", &|| std::fs::create_dir(path.join("inner")).unwrap());
        changes("times that were set back", &|| {
            std::fs::write(path.join("file"), "").unwrap();
            let old = std::time::SystemTime::UNIX_EPOCH;
            std::fs::File::open(&path).unwrap().set_modified(old).unwrap();
        });
        changes("another folder", &|| {
            std::fs::rename(&path, folder.path().join("two")).unwrap();
            std::fs::create_dir(&path).unwrap();
        });
        std::fs::remove_dir(&path).unwrap();
        assert_eq!(FolderState::read(&path), None);
        std::os::unix::fs::symlink(folder.path(), &path).unwrap();
        assert_eq!(FolderState::read(&path), None, "a link is no folder");
    }
}
