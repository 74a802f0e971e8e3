//! The token in the file that a supervisor of this machine names: ours alone, or it is nobody's.

use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use ureq::http::Uri;

/// How the file is called. Whoever answers names it, and is perhaps no supervisor: nothing else can be asked out of us.
const FILE_NAME: &str = "http_token";

/// A token is one short word.
const FILE_MAX_BYTES: u64 = 4096;
/// `O_NOFOLLOW | O_NONBLOCK` of Linux: neither a link nor a pipe of somebody else is read.
const OPEN_FLAGS: i32 = 0o400_000 | 0o4000;

/// True for the address of a supervisor of this machine: a file of ours is of no use to another, and none of its business.
pub(crate) fn is_of_this_machine(base: &str) -> bool {
    let Some(host) = base.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)) else {
        return false;
    };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().map_or_else(|_| name.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback())
}

/// What the file holds, if it is a plain file of ours with that name, which nobody else can read.
pub(crate) fn read(path: &str) -> Option<String> {
    if Path::new(path).file_name()? != FILE_NAME {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_this_machine_is_known_by_its_host() {
        for here in
            ["http://127.0.0.1:7420", "https://127.8.9.1", "http://[::1]:7420/muster", "http://LocalHost:1"]
        {
            assert!(is_of_this_machine(here), "{here}");
        }
        for elsewhere in [
            "http://127.example.com",
            "http://localhost.example.com:7420",
            "https://example.com/x?u=http://127.0.0.1",
            "http://127.0.0.1@example.com",
            "http://10.0.0.1:7420",
        ] {
            assert!(!is_of_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
