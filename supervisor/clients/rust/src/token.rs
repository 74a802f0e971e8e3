//! The token in the file that a supervisor of this machine names: ours alone, or it is nobody's.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};

/// A token is one short word.
const FILE_MAX_BYTES: u64 = 4096;
/// `O_NOFOLLOW | O_NONBLOCK` of Linux: neither a link nor a pipe of somebody else is read.
const OPEN_FLAGS: i32 = 0o400_000 | 0o4000;

/// What the file holds, if it is a plain file of ours that nobody else can read.
pub(crate) fn read(path: &str) -> Option<String> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(OPEN_FLAGS).open(path).ok()?;
    let (facts, ours) = (file.metadata().ok()?, std::fs::metadata("/proc/self").ok()?.uid());
    let is_ours = facts.is_file() && facts.uid() == ours && facts.mode() & 0o077 == 0 && facts.nlink() == 1;
    if !is_ours {
        return None;
    }
    let mut text = String::new();
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).ok()?;
    let token = text.trim();
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then(|| token.to_owned())
}
