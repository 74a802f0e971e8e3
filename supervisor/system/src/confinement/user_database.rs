//! The system's users, wherever it keeps them: files, a directory service, whatever the C library is told to ask.

use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// An entry is never longer: whoever has such a one is not found.
const ENTRY_MAX_BYTES: usize = 64 * 1024;
/// A user in more groups is in these.
const GROUPS_MAX: i32 = 4096;

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserEntry {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All its groups, the first one too.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
}

impl UserEntry {
    /// The user of this name, else the one of this number.
    #[expect(unsafe_code, reason = "the C library alone knows all users, and no dependency of ours asks it")]
    pub(super) fn find(name: &str) -> Option<Self> {
        let c_name = CString::new(name).ok()?;
        let mut buffer = vec![0_u8; ENTRY_MAX_BYTES];
        let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        let (at, length) = (buffer.as_mut_ptr().cast::<libc::c_char>(), buffer.len());
        // SAFETY: the name ends with a zero, the entry and the buffer are as large as is said and live beyond the use
        // of what is found, which points into them.
        unsafe {
            let code = match name.parse::<u32>() {
                Ok(uid) => libc::getpwuid_r(uid, entry.as_mut_ptr(), at, length, &mut found),
                Err(_) => libc::getpwnam_r(c_name.as_ptr(), entry.as_mut_ptr(), at, length, &mut found),
            };
            if code != 0 || found.is_null() {
                return None;
            }
            let seen = &*found;
            let home = OsStr::from_bytes(CStr::from_ptr(seen.pw_dir).to_bytes()).into();
            let groups = groups_of(CStr::from_ptr(seen.pw_name), seen.pw_gid);
            Some(Self { uid: seen.pw_uid, gid: seen.pw_gid, groups, home })
        }
    }
}

#[expect(unsafe_code, reason = "as above")]
fn groups_of(name: &CStr, first: u32) -> Vec<u32> {
    let mut count = GROUPS_MAX;
    let mut groups = vec![0; usize::try_from(count).unwrap_or_default()];
    // SAFETY: the name ends with a zero, and there is room for as many numbers as is said.
    let code = unsafe { libc::getgrouplist(name.as_ptr(), first, groups.as_mut_ptr(), &mut count) };
    groups.truncate(if code < 0 { 0 } else { usize::try_from(count).unwrap_or_default() });
    if groups.is_empty() { vec![first] } else { groups }
}
