//! The end of a process, seen through its pidfd and reaped exactly once.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use muster_core::process::ExitStatus;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::io::unix::AsyncFd;

use super::ProcessGroup;
use super::reaping::{ReapedProcess, reap};

/// Waits for one process. Other children are never touched: a wait for any child would steal their status.
#[derive(Debug)]
pub struct ExitWatch {
    pidfd: AsyncFd<OwnedFd>,
    pid: u32,
}

impl ExitWatch {
    /// Watches the leader of a group through its pidfd. Must be called inside a runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch one more descriptor.
    pub fn new(group: ProcessGroup, pidfd: OwnedFd) -> io::Result<Self> {
        Ok(Self { pidfd: super::descriptors::watch_readable(pidfd)?, pid: group.id() })
    }

    /// A handle on the process, to signal it by.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn handle(&self) -> io::Result<OwnedFd> {
        self.pidfd.get_ref().try_clone()
    }

    /// Returns when the process has ended. It is not reaped yet, so its group can still be signalled.
    pub async fn ended(&self) {
        // The readiness is never cleared: a process ends once. A failure to poll counts as an end, because
        // `reap` then finds out.
        let _ = self.pidfd.readable().await;
    }

    /// Reaps the process and tells how it ended.
    pub fn reap(self) -> ExitStatus {
        self.reap_measured().status
    }

    /// The same, with what the system counted of it.
    pub fn reap_measured(self) -> ReapedProcess {
        self.reap_if_ours().unwrap_or(ReapedProcess::UNKNOWN)
    }

    /// Reaps the process and tells how it ended. `None` for one that is the child of a template which still lives: that
    /// reaps it.
    pub fn reap_if_ours(&self) -> Option<ReapedProcess> {
        reap(self.pidfd.get_ref().as_fd())
    }
}

impl Drop for ExitWatch {
    fn drop(&mut self) {
        super::child_reaper::release(self.pid);
    }
}

/// Ends a process that cannot be watched, and reaps it: it lives, so it must be neither forgotten nor left a
/// zombie. Waits for it, which after a SIGKILL is a moment.
pub fn abandon(group: ProcessGroup) {
    group.kill();
    let _ = waitid(WaitId::Pid(group.leader()), WaitIdOptions::EXITED);
    super::child_reaper::release(group.id());
}
