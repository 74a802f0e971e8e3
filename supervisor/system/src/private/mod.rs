//! Files and folders for their owner alone: parameters, results, the secrets of configurations and the API's token
//! are in them.
//!
//! Each is made with its mode rather than under a umask: a umask belongs to the whole process, so workers would
//! inherit ours.

mod folder;

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

pub use folder::{FolderRights, NotPrivate, check_rights, look, tighten};

/// The mode of a file for its owner alone.
const FILE_MODE: u32 = 0o600;
/// The mode of a folder for its owner alone.
const FOLDER_MODE: u32 = 0o700;

/// How to open a file that is made for its owner alone, if it is made.
pub fn file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

/// [`std::fs::write`], for the owner alone.
///
/// # Errors
/// What the system said.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    file_options().write(true).create(true).truncate(true).open(path)?.write_all(bytes)
}

/// Makes a folder for its owner alone. One that is there already is left as it is.
///
/// # Errors
/// What the system said.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}
