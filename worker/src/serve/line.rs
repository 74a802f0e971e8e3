//! The line of a serving worker: the inbox, on the thread that runs executions.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::dispatch::MessageHandler;
use super::inbox::Inbox;
use super::lifeline::Lifeline;
use crate::run::{Downlink, Waker, WorkerRun};

/// Owns the inbox, except while it is lent.
pub(crate) struct FrameLine {
    pub(crate) inbox: RefCell<Option<Box<Inbox>>>,
    pub(crate) dispatch: Arc<MessageHandler>,
    pub(crate) lifeline: Arc<Lifeline>,
    pub(crate) waker: Arc<Waker>,
}

impl Downlink for FrameLine {
    fn pump(&self, run: &Arc<WorkerRun>, timeout: Option<Duration>) {
        if let Some(inbox) = self.inbox.borrow_mut().as_mut() {
            self.dispatch.pump(inbox, &self.waker, run, timeout);
        }
    }

    fn lend(&self, run: &Arc<WorkerRun>, body: &mut dyn FnMut()) {
        let lent = self.inbox.borrow_mut().take();
        if let Some(inbox) = lent {
            self.lifeline.lend(inbox, Arc::clone(run));
        }
        body();
        *self.inbox.borrow_mut() = self.lifeline.take_back();
    }

    fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}
