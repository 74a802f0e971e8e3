//! The two directions of the line between a run and whoever asked for it.

use std::sync::Arc;
use std::time::Duration;

use muster_protocol::{JsonBytes, LogLevel, LogRecord};

use super::WorkerRun;

/// The way out: safe to use from every thread, never waits for an answer.
pub(crate) trait Uplink: Send + Sync {
    /// User code is about to be entered. Returns when this is on its way.
    fn started(&self, run: u32);
    /// The least level worth writing; none when nobody takes records.
    fn log_level(&self) -> Option<LogLevel>;
    /// One log record. May be held back for a moment to travel with others.
    fn log(&self, run: u32, record: LogRecord);
    /// The latest progress.
    fn progress(&self, run: u32, current: u64, total: u64, message: &str);
    /// A question; its answer comes through [`WorkerRun::reply`].
    fn call(&self, run: &WorkerRun, call: u32, method: &str, params: JsonBytes);
}

/// The way in, owned by the thread that runs executions.
pub(crate) trait Downlink {
    /// Takes what has come in (replies, a cancel) and gives it to the run. Waits for something at most
    /// `timeout`; returns early when [`Waker::wake`] is called. `None` waits without a limit.
    fn pump(&self, run: &Arc<WorkerRun>, timeout: Option<Duration>);
    /// Lets another thread do the pumping while `body` runs on this one.
    fn lend(&self, run: &Arc<WorkerRun>, body: &mut dyn FnMut());
    /// Ends a `pump` that waits, from any thread.
    fn waker(&self) -> Arc<Waker>;
}

/// Ends a wait in `poll` from another thread.
pub(crate) struct Waker {
    event: std::os::fd::OwnedFd,
}

impl Waker {
    pub(crate) fn new() -> std::io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self { event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    pub(crate) fn wake(&self) {
        // The counter can only be full when a wake is already pending.
        let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
    }

    /// Forgets the wakes so far.
    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(&self.event, &mut [0_u8; 8]);
    }

    pub(crate) fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.event.as_fd()
    }
}
