//! Removing a folder that somebody else arranged: however deep it is, whatever its modes are, wherever its links
//! point.
//!
//! It takes two descriptors and no recursion: folders that are deeper are moved up to where they are reached. A
//! folder that was nested a million times would otherwise end this process with its stack.

use std::ffi::{CStr, CString};
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes whatever is at this path. What could not be removed is in the log, and is tried again at the next start.
pub(super) fn remove_or_say(path: &Path) {
    match remove(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => {
            tracing::warn!(folder = %path.display(), error = %io::Error::from(error), "a temporary folder cannot be removed now");
        }
    }
}

fn remove(path: &Path) -> Result<(), Errno> {
    match open_folder(CWD, path) {
        Ok(folder) => {
            remove_all_in(&folder)?;
            unlinkat(CWD, path, AtFlags::REMOVEDIR)
        }
        Err(Errno::NOTDIR | Errno::LOOP) => unlinkat(CWD, path, AtFlags::empty()),
        Err(error) => Err(error),
    }
}

/// Removes all that is in a folder.
fn remove_all_in(folder: &OwnedFd) -> Result<(), Errno> {
    let mut moved = 0_u64;
    loop {
        let (mut is_done, mut has_moved) = (true, false);
        let mut last = Ok(());
        for (name, kind) in entries(folder)? {
            is_done = false;
            if kind != FileType::Directory {
                last = unlinkat(folder, &name, AtFlags::empty());
            } else {
                last = lift(folder, &name, &mut moved);
            }
            has_moved |= last.is_ok();
        }
        if is_done {
            return Ok(());
        }
        if !has_moved {
            return last;
        }
    }
}

/// Removes a folder, after what is in its folders was moved up beside it.
fn lift(parent: &OwnedFd, name: &CStr, moved: &mut u64) -> Result<(), Errno> {
    let folder = open_folder(parent, name)?;
    loop {
        let left = entries(&folder)?;
        if left.is_empty() {
            return unlinkat(parent, name, AtFlags::REMOVEDIR);
        }
        for (inner, kind) in left {
            if kind == FileType::Directory {
                move_entry(&folder, &inner, parent, &fresh_name(parent, moved))?;
            } else {
                unlinkat(&folder, &inner, AtFlags::empty())?;
            }
        }
    }
}

/// A name that nothing in the folder has, whatever names were chosen for what is in it.
fn fresh_name(folder: &OwnedFd, moved: &mut u64) -> CString {
    loop {
        *moved += 1;
        let name = CString::new(format!(".{moved}")).unwrap_or_default();
        if matches!(statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT)) {
            return name;
        }
    }
}

/// Moves an entry of one folder into another. A folder that may not be written by its owner is made so first.
pub(super) fn move_entry(from: &OwnedFd, name: &CStr, to: &OwnedFd, as_name: &CStr) -> Result<(), Errno> {
    match renameat(from, name, to, as_name) {
        Err(Errno::ACCESS) => {
            make_accessible(from, name)?;
            renameat(from, name, to, as_name)
        }
        result => result,
    }
}

/// Opens a folder that is no link. One that its owner has closed is opened first.
pub(super) fn open_folder<P: rustix::path::Arg + Copy>(
    parent: impl std::os::fd::AsFd,
    name: P,
) -> Result<OwnedFd, Errno> {
    match openat(&parent, name, FOLDER, Mode::empty()) {
        Err(Errno::ACCESS) => {
            make_accessible(&parent, name)?;
            openat(&parent, name, FOLDER, Mode::empty())
        }
        opened => opened,
    }
}

fn make_accessible<P: rustix::path::Arg>(parent: impl std::os::fd::AsFd, name: P) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    // The descriptor is of the folder itself, whatever has its name by now.
    let itself = format!("/proc/self/fd/{}", folder.as_raw_fd());
    std::fs::set_permissions(itself, Permissions::from_mode(0o700)).map_err(|_| Errno::ACCESS)
}

/// What is in a folder, and what each is. No more than so many at a time: whoever calls comes again.
pub(super) fn entries(folder: &OwnedFd) -> Result<Vec<(CString, FileType)>, Errno> {
    const AT_A_TIME: usize = 10_000;
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            kind = FileType::from_raw_mode(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode);
        }
        found.push((name.to_owned(), kind));
        if found.len() == AT_A_TIME {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn links_are_removed_and_what_they_point_at_is_not() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (tree, kept) = (folder.path().join("tree"), elsewhere.path().join("kept"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::write(&kept, "").unwrap();
        for link in [tree.join("link"), tree.join("a/b/link")] {
            std::os::unix::fs::symlink(elsewhere.path(), link).unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists() && kept.exists());
        std::os::unix::fs::symlink(elsewhere.path(), &tree).unwrap();
        remove(&tree).unwrap();
        assert!(tree.symlink_metadata().is_err() && kept.exists());
    }

    #[test]
    fn a_folder_deeper_than_any_stack_and_any_path_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut at = open_folder(CWD, &*tree).unwrap();
        for _ in 0..5_000 {
            rustix::fs::mkdirat(&at, c"d", Mode::RWXU).unwrap();
            let file = OFlags::CREATE | OFlags::WRONLY;
            openat(&at, c"file", file, Mode::RUSR).unwrap();
            at = open_folder(&at, c"d").unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn folders_that_were_closed_and_names_like_ours_are_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join(".1/.2/.1")).unwrap();
        fs::create_dir_all(tree.join(".3/x")).unwrap();
        for closed in [".1/.2/.1", ".1/.2", ".1", ".3/x", ".3", ""] {
            fs::set_permissions(tree.join(closed), Permissions::from_mode(0o0)).unwrap();
        }
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }
}
