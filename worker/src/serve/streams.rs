//! The standard streams of a serving worker: the frames move away from 0 and 1 before user code runs.
//!
//! Afterwards whatever user code or a library prints lands on stderr, reading stdin gives nothing, and a child
//! process inherits neither end of the line.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::stdio;

/// The line to the supervisor.
pub(crate) struct Streams {
    /// What the supervisor writes.
    pub(crate) input: OwnedFd,
    /// What the supervisor reads.
    pub(crate) output: OwnedFd,
}

/// The first descriptor number that is surely not a standard stream.
const FIRST_FREE_FD: i32 = 3;

/// Takes the frames' descriptors away from the standard streams.
///
/// # Errors
/// When a standard stream is closed or the process is out of descriptors.
pub(crate) fn take() -> std::io::Result<Streams> {
    let input = rustix::io::fcntl_dupfd_cloexec(stdio::stdin(), FIRST_FREE_FD)?;
    let output = rustix::io::fcntl_dupfd_cloexec(stdio::stdout(), FIRST_FREE_FD)?;
    block(&input)?;
    block(&output)?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    stdio::dup2_stdin(&nothing)?;
    stdio::dup2_stdout(stdio::stderr())?;
    Ok(Streams { input, output })
}

/// Non-blocking mode belongs to the pipe and not to the descriptor, so a parent may have left it on.
fn block(fd: &OwnedFd) -> std::io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    if flags.contains(OFlags::NONBLOCK) {
        rustix::fs::fcntl_setfl(fd, flags - OFlags::NONBLOCK)?;
    }
    Ok(())
}
