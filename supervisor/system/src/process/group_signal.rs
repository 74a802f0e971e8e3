//! Signals to a whole group through the descriptor of its leader: they reach nobody else, not even when the leader was
//! reaped by somebody else and its number given to another process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::process::Signal;

/// `PIDFD_SIGNAL_PROCESS_GROUP`, since Linux 6.9.
const TO_THE_GROUP: libc::c_uint = 1 << 2;

/// Asks all of the group that the process leads to end.
pub fn terminate_group(leader: impl AsFd) {
    signal_group(leader.as_fd(), Signal::TERM);
}

/// Ends all of the group that the process leads.
pub fn kill_group(leader: impl AsFd) {
    signal_group(leader.as_fd(), Signal::KILL);
}

/// Where the kernel is too old for the group, the process alone is signalled. What is left of its group is then for its
/// [`super::ProcessTree`] to find.
fn signal_group(leader: BorrowedFd<'_>, signal: Signal) {
    if !send(leader, signal) {
        // One that has ended is what was wanted.
        let _ = rustix::process::pidfd_send_signal(leader, signal);
    }
}

#[expect(unsafe_code, reason = "there is no safe wrapper of this system call that takes its flags")]
fn send(leader: BorrowedFd<'_>, signal: Signal) -> bool {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: the call reads no memory of ours but the siginfo, which may be null, and the descriptor is borrowed.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, leader.as_raw_fd(), signal.as_raw(), none, TO_THE_GROUP)
    };
    sent == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EINVAL)
}
