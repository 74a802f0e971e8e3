//! The exit codes of a serving worker. They are evidence for people, the protocol decides on frames.

use std::io::Write;

/// All went well.
pub(crate) const DONE: u8 = 0;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 64;
/// The supervisor broke the protocol.
pub(crate) const PEER_FAULT: u8 = 65;
/// User code could not be loaded.
pub(crate) const INIT_FAILED: u8 = 69;
/// A fault of this program or the system under it.
pub(crate) const BUG: u8 = 70;
/// The supervisor and this worker have no version in common.
pub(crate) const NO_COMMON_VERSION: u8 = 71;

/// Writes a line to stderr, which the supervisor keeps.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "worker: {message}");
}

/// Leaves because the supervisor broke the protocol, from whichever thread noticed.
pub(crate) fn fault(message: &str) -> ! {
    complain(message);
    std::process::exit(i32::from(PEER_FAULT))
}
