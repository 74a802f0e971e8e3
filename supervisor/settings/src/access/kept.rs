//! The file that keeps the token.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use muster_system::private;
use rustix::rand::{GetRandomFlags, getrandom};
use secrecy::{ExposeSecret as _, SecretString};

use super::TOKEN_FILE;
use super::secret::is_made_token;
use crate::is_token;

/// How many random bytes a token is made of.
const TOKEN_BYTES: usize = 32;
/// The longest token read from a file.
const FILE_MAX_BYTES: u64 = 4096;

/// The token cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be made or read.
    #[error("cannot use the token in {path}: {source}; make data_dir writable, or set http_token")]
    Io {
        /// The file that holds the token.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// It is not a file that keeps a token.
    #[error("{path} keeps no token: {reason}; delete it, and the next start makes another")]
    Unusable {
        /// The file that holds the token.
        path: PathBuf,
        /// What is wrong with what the file holds.
        reason: &'static str,
    },
}

/// The token in this file, which is made if it is not there.
///
/// # Errors
/// When it cannot be made, or keeps no token.
pub fn make_or_read(path: &Path) -> Result<SecretString, TokenError> {
    let failed = |source| TokenError::Io { path: path.to_owned(), source };
    if !path.exists() {
        make(path).map_err(failed)?;
    }
    read_main(path)
}

/// The token of a supervisor in its own file. Whoever has it may do everything, so it is none that was made for others.
///
/// # Errors
/// When it cannot be read, or is no such token.
pub fn read_main(path: &Path) -> Result<SecretString, TokenError> {
    let token = read_named(path)?;
    if !is_made_token(token.expose_secret()) {
        return Ok(token);
    }
    let reason = "what is in it was made by `supervisor token create`, and its holder would do everything";
    Err(TokenError::Unusable { path: path.to_owned(), reason })
}

/// Whoever comes second finds a whole token: the name is given when the file is on disk.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0; TOKEN_BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let unfinished = path.with_extension(format!("{}.part", std::process::id()));
    let mut file = private::file_options().write(true).create(true).truncate(true).open(&unfinished)?;
    let made = writeln!(file, "{token}").and_then(|()| file.sync_all());
    let named = made.and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    match named {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        named => named,
    }
}

/// The token in a file that somebody named, perhaps a server that is not what it seems: only a file of this name
/// that is ours alone and holds a token is read, so that nothing else can be asked out of us.
///
/// # Errors
/// When it cannot be read, or keeps no token.
pub fn read_named(path: &Path) -> Result<SecretString, TokenError> {
    let failed = |source| TokenError::Io { path: path.to_owned(), source };
    let unusable = |reason| TokenError::Unusable { path: path.to_owned(), reason };
    if path.file_name().is_none_or(|name| name != TOKEN_FILE) {
        return Err(unusable("it has another name"));
    }
    // Neither through a link, nor waiting for the other end of a pipe.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let us = rustix::process::geteuid();
    if !metadata.is_file() || (metadata.uid() != us.as_raw() && !us.is_root()) {
        return Err(unusable("it is not a file of this user"));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(unusable("others can read it"));
    }
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    if is_token(token) {
        Ok(SecretString::from(token))
    } else {
        Err(unusable("what is in it is not one word"))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::access::make_token;

    #[test]
    fn a_token_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let made = make_or_read(&path).unwrap();
        assert_eq!(made.expose_secret().len(), 43);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(make_or_read(&path).unwrap().expose_secret(), made.expose_secret());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = make_or_read(&tempfile::tempdir().unwrap().path().join(TOKEN_FILE)).unwrap();
        assert_ne!(other.expose_secret(), made.expose_secret());
    }

    #[test]
    fn a_token_that_was_made_for_others_is_not_that_of_a_supervisor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let made = make_token();
        private::write(&path, made.expose_secret().as_bytes()).unwrap();
        for refused in [make_or_read(&path), read_main(&path)] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("supervisor token create"), "{text}");
            assert!(!text.contains(made.expose_secret()), "{text}");
        }
        assert_eq!(read_named(&path).unwrap().expose_secret(), made.expose_secret(), "who shows it may");
    }

    #[test]
    fn those_who_come_at_once_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        for _ in 0..2 {
            make(&path).unwrap();
        }
        let first = read_named(&path).unwrap();
        make(&path).unwrap();
        assert_eq!(read_named(&path).unwrap().expose_secret(), first.expose_secret());
    }

    #[test]
    fn nothing_but_a_token_of_ours_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(TOKEN_FILE);
        let reason = |path: &Path| read_named(path).unwrap_err().to_string();
        for text in ["", "\n", "two words", "two\nlines"] {
            private::write(&path, text.as_bytes()).unwrap();
            assert!(reason(&path).contains("not one word"), "{text:?}");
        }
        private::write(&path, b"a-token\n").unwrap();
        assert_eq!(read_named(&path).unwrap().expose_secret(), "a-token");
        let (link, folders) = (folder.path().join("link"), folder.path().join("folder"));
        fs::create_dir_all(&folders).unwrap();
        std::os::unix::fs::symlink(&path, folders.join(TOKEN_FILE)).unwrap();
        assert!(reason(&folders.join(TOKEN_FILE)).contains("cannot use"), "through a link");
        fs::hard_link(&path, &link).unwrap();
        assert!(reason(&link).contains("another name"));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(reason(&path).contains("others can read it"));
    }
}
