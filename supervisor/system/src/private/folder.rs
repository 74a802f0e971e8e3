//! A folder that was there before us: whether it can be ours alone, and what makes it so.
//!
//! A folder that others can read is tightened, with what is in it, when everything in it is ours. One that others
//! own or share is not: its owner could put files of their choice in the place of ours, and tightening a folder
//! like /tmp or a home would shut out whoever uses it too.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::{FILE_MODE, FOLDER_MODE};

/// What a supervisor keeps in its folder, as the name or the beginning of it.
const OURS: &[&str] = &["lock", "muster.db", "outbox", "worker-groups", "transcripts", "http_token"];
/// What makes a folder a supervisor's, whatever else somebody put into it.
const SEAL: &str = "lock";
/// What a file system puts at its root.
const OF_THE_FILE_SYSTEM: &str = "lost+found";

/// What is known of who may enter a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRights {
    owner: u32,
    us: u32,
    mode: u32,
    /// Something in it that no supervisor made, in a folder that was no supervisor's before.
    stranger: Option<String>,
}

/// Why a folder cannot hold what is for its owner alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotPrivate {
    /// Another user owns the folder.
    #[error(
        "it belongs to user {owner}, and this is user {us}: chown it, or choose a folder below it, which is then made for this user alone"
    )]
    Foreign {
        /// The user id of the owner.
        owner: u32,
        /// The user id of this process.
        us: u32,
    },
    /// It is made to be shared.
    #[error(
        "it is shared with other users (mode {mode:o}): choose a folder below it, which is then made for this user alone"
    )]
    Shared {
        /// The permission bits of the folder.
        mode: u32,
    },
    /// Others can read it, and perhaps must.
    #[error(
        "others may enter it (mode {mode:o}), and it holds {stranger:?}, which is no supervisor's: choose a folder of its own, or `chmod 700` this one"
    )]
    Crowded {
        /// The permission bits of the folder.
        mode: u32,
        /// The name of something in it that no supervisor made.
        stranger: String,
    },
}

impl FolderRights {
    /// The permission bits of the folder, such as 0o700.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// True when users other than the owner may enter.
    pub fn is_open(&self) -> bool {
        self.mode & 0o077 != 0
    }
}

/// Looks at a folder that is there.
///
/// # Errors
/// When it cannot be listed.
pub fn look(path: &Path) -> io::Result<FolderRights> {
    let metadata = path.metadata()?;
    let us = rustix::process::geteuid().as_raw();
    let mode = metadata.mode() & 0o7777;
    let is_sealed = path.join(SEAL).is_file();
    let stranger = if is_sealed || mode & 0o077 == 0 { None } else { stranger_in(path)? };
    Ok(FolderRights { owner: metadata.uid(), us, mode, stranger })
}

fn stranger_in(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != OF_THE_FILE_SYSTEM && !OURS.iter().any(|ours| name.starts_with(ours)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether the folder can be for its owner alone.
///
/// # Errors
/// Why not, and what to do.
pub fn check_rights(rights: &FolderRights) -> Result<(), NotPrivate> {
    let FolderRights { owner, us, mode, stranger } = rights;
    if owner != us {
        return Err(NotPrivate::Foreign { owner: *owner, us: *us });
    }
    // The sticky bit is what folders like /tmp have.
    if mode & 0o1000 != 0 {
        return Err(NotPrivate::Shared { mode: *mode });
    }
    match stranger {
        Some(stranger) => Err(NotPrivate::Crowded { mode: *mode, stranger: stranger.clone() }),
        None => Ok(()),
    }
}

/// Makes the folder and what is in it their owner's alone. Gives how many modes were changed.
///
/// # Errors
/// What the system said.
pub fn tighten(folder: &Path) -> io::Result<usize> {
    let mut changed = usize::from(close(folder, &folder.metadata()?, FOLDER_MODE)?);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A link may point anywhere: what is behind it is not ours to change.
        let metadata = entry.metadata()?;
        if metadata.is_dir() && entry.file_name() != OF_THE_FILE_SYSTEM {
            changed += tighten(&entry.path())?;
        } else if metadata.is_file() {
            changed += usize::from(close(&entry.path(), &metadata, FILE_MODE)?);
        }
    }
    Ok(changed)
}

/// Takes everybody else's rights away; the owner's stay as they are.
fn close(path: &Path, metadata: &Metadata, least: u32) -> io::Result<bool> {
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 == 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    fs::set_permissions(path, Permissions::from_mode((mode & 0o700) | least))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    fn open(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_own_or_share_is_refused_and_said_how_to_mend() {
        let ours = FolderRights { owner: 7, us: 7, mode: 0o755, stranger: None };
        assert_eq!(check_rights(&ours), Ok(()));
        let foreign = check_rights(&FolderRights { owner: 8, ..ours.clone() }).unwrap_err();
        assert!(foreign.to_string().contains("belongs to user 8, and this is user 7"), "{foreign}");
        assert_eq!(
            check_rights(&FolderRights { mode: 0o1777, ..ours.clone() }),
            Err(NotPrivate::Shared { mode: 0o1777 })
        );
        let crowded = check_rights(&FolderRights { stranger: Some("site".into()), ..ours }).unwrap_err();
        assert!(crowded.to_string().contains("chmod 700"), "{crowded}");
    }

    #[test]
    fn a_folder_of_others_things_is_not_shut_unless_it_was_a_supervisors_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::create_dir(path.join("lost+found")).unwrap();
        fs::write(path.join("muster.db-wal"), "").unwrap();
        open(path, 0o755);
        assert_eq!(check_rights(&look(path).unwrap()), Ok(()));
        fs::write(path.join("index.html"), "").unwrap();
        assert!(matches!(check_rights(&look(path).unwrap()), Err(NotPrivate::Crowded { .. })));
        open(path, 0o700);
        assert_eq!(check_rights(&look(path).unwrap()), Ok(()), "somebody shut it already");
        open(path, 0o755);
        fs::write(path.join(SEAL), "").unwrap();
        assert_eq!(check_rights(&look(path).unwrap()), Ok(()), "it was used before");
    }

    #[test]
    fn all_in_it_is_tightened_and_nothing_behind_a_link() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, other) = (folder.path().join("data"), elsewhere.path().join("file"));
        fs::create_dir_all(path.join("transcripts")).unwrap();
        for file in [path.join("muster.db"), path.join("transcripts/one.jsonl"), other.clone()] {
            fs::write(&file, "").unwrap();
            open(&file, 0o644);
        }
        std::os::unix::fs::symlink(&other, path.join("link")).unwrap();
        open(&path, 0o755);
        open(&path.join("transcripts"), 0o755);
        assert_eq!(tighten(&path).unwrap(), 4);
        assert_eq!((mode(&path), mode(&path.join("transcripts"))), (0o700, 0o700));
        assert_eq!(
            (mode(&path.join("muster.db")), mode(&path.join("transcripts/one.jsonl"))),
            (0o600, 0o600)
        );
        assert_eq!(mode(&other), 0o644);
        assert_eq!(tighten(&path).unwrap(), 0);
    }
}
