//! What the type system cannot say about file descriptors: the one module with unsafe code.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::FdFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Marks every descriptor above stderr close-on-exec: what the supervisor was started with must not reach
/// its workers. Call once at the start, before any thread.
pub fn close_inherited_on_exec() {
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for number in numbers {
        mark_close_on_exec(number);
    }
}

#[expect(
    unsafe_code,
    reason = "a descriptor listed in /proc/self/fd has a number and no Rust owner to borrow it from"
)]
fn mark_close_on_exec(number: i32) {
    // SAFETY: the descriptor is only borrowed for one fcntl that does not close it; if it was closed since it
    // was listed (the directory's own is), the call fails with EBADF and nothing happens.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let _ = rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC);
}

/// Watches a descriptor for readability. Must be called inside a runtime.
#[expect(
    unsafe_code,
    reason = "tokio cannot check that a type keeps the same descriptor for as long as it lives"
)]
pub(super) fn watch_readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd gives the same descriptor for as long as it lives, and the AsyncFd owns it.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(watched?)
}
