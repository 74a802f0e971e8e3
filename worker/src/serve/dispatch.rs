//! What to do with a message that comes while a run is under way, on whichever thread reads it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_protocol::{CancelReason, ErrorInfo, ToSupervisor, ToWorker};

use super::exit;
use super::inbox::{Inbox, InboxError};
use super::outbox::MessageWriter;
use crate::run::{Waker, WorkerRun};

/// The grace of a run whose supervisor is gone.
const ORPHAN_GRACE: Duration = Duration::from_millis(1000);

/// The receiving end's decisions.
pub(crate) struct MessageHandler {
    pub(crate) outbox: Arc<MessageWriter>,
    draining: AtomicBool,
    drain_reason: Mutex<String>,
}

impl MessageHandler {
    pub(crate) fn new(outbox: Arc<MessageWriter>) -> Self {
        Self { outbox, draining: AtomicBool::new(false), drain_reason: Mutex::new(String::new()) }
    }

    /// Waits for messages at most `timeout`, and gives them to the run. Old log batches leave meanwhile.
    pub(crate) fn pump(&self, inbox: &mut Inbox, waker: &Waker, run: &WorkerRun, timeout: Option<Duration>) {
        // What was read together with an earlier message shows on no descriptor.
        let any = self.take_buffered(inbox, run);
        let due = self.outbox.flush_when_due();
        let limit = if any { Some(Duration::ZERO) } else { timeout.into_iter().chain(due).min() };
        if let Err(error) = inbox.wait(waker, limit) {
            fail(&error);
        }
        self.take_buffered(inbox, run);
        if inbox.ended() {
            run.cancellation.request(CancelReason::Shutdown, "the supervisor is gone", ORPHAN_GRACE);
            run.calls.fail_all(&ErrorInfo::new("SupervisorGone", "the supervisor is gone"));
        }
    }

    /// True if there was something.
    fn take_buffered(&self, inbox: &mut Inbox, run: &WorkerRun) -> bool {
        let mut any = false;
        loop {
            match inbox.next_buffered() {
                Ok(Some(message)) => self.while_running(message, run),
                Ok(None) => return any,
                Err(error) => fail(&error),
            }
            any = true;
        }
    }

    /// A message that came while `run` is under way.
    fn while_running(&self, message: ToWorker, run: &WorkerRun) {
        let current = run.request.run;
        match message {
            ToWorker::Cancel { run: number, reason, message, grace_ms } if number == current => {
                let grace = Duration::from_millis(u64::from(grace_ms));
                run.cancellation.request(reason, &message, grace);
            }
            ToWorker::Reply { run: number, call, result } if number == current => run.reply(call, result),
            ToWorker::Dump { run: number } if number == current => {
                let _ = self.outbox.send(&[ToSupervisor::Stacks { run: number, text: run.describe() }]);
            }
            ToWorker::Execute { run: number, .. } => {
                exit::fault(&format!("the supervisor sent run {number} while run {current} is under way"))
            }
            other @ (ToWorker::Ping { .. }
            | ToWorker::Drain { .. }
            | ToWorker::Cancel { .. }
            | ToWorker::Reply { .. }
            | ToWorker::Dump { .. }
            | ToWorker::Fork { .. }
            | ToWorker::Welcome { .. }) => self.at_any_time(other),
        }
    }

    /// A message whose meaning does not depend on what runs. What concerns a run that has ended is dropped.
    pub(crate) fn at_any_time(&self, message: ToWorker) {
        match message {
            ToWorker::Ping { nonce } => {
                let _ = self.outbox.send(&[ToSupervisor::Pong { nonce }]);
            }
            ToWorker::Drain { reason, .. } => {
                *self.drain_reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                self.draining.store(true, Ordering::Release);
            }
            ToWorker::Dump { run } => {
                let text = "idle".to_owned();
                let _ = self.outbox.send(&[ToSupervisor::Stacks { run, text }]);
            }
            ToWorker::Cancel { .. }
            | ToWorker::Reply { .. }
            | ToWorker::Welcome { .. }
            | ToWorker::Fork { .. }
            | ToWorker::Execute { .. } => {}
        }
    }

    /// The reason, once the supervisor has asked this worker to take no more work.
    pub(crate) fn draining(&self) -> Option<String> {
        self.draining
            .load(Ordering::Acquire)
            .then(|| self.drain_reason.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Ends the process: without a line to the supervisor there is nobody to report to but stderr.
fn fail(error: &InboxError) -> ! {
    exit::fault(&error.to_string())
}
