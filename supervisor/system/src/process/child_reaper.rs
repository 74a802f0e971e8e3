//! As process 1 of a container, or as the heir of a template's workers: reaping what others left behind.
//!
//! Orphans of the whole container become children of process 1; those of our own descendants become ours when we have
//! asked to inherit them, which we do for the workers of a template that ends before them. Our own workers are reaped by whoever
//! watches them, and must not be touched here: their exit status would be lost.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

static OURS: LazyLock<Mutex<HashSet<u32>>> = LazyLock::new(Mutex::default);

/// This child is watched by us from its spawn on.
pub(super) fn adopt(pid: u32) {
    OURS.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
}

/// It was reaped.
pub(super) fn release(pid: u32) {
    OURS.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
}

/// From now on, whoever descends from this process becomes its child when its parent ends.
///
/// # Errors
/// What the system said.
pub fn inherit_orphans() -> std::io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Reaps every dead child that is not ours. Call on SIGCHLD, when this is process 1 or inherits orphans.
pub fn reap_orphans() {
    let strangers: Vec<u32> = {
        let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
        super::descendants::children(std::process::id())
            .into_iter()
            .filter(|pid| !ours.contains(pid))
            .collect()
    };
    for pid in strangers.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        // One that still lives is left alone.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Whether there is anything to reap, ours included, for the price of one question to the system.
pub fn is_any_child_dead() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).is_ok_and(|dead| dead.is_some())
}
