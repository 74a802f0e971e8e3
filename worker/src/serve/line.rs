//! The line of a serving worker: the inbox, on the thread that runs executions.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use super::dispatch::Dispatch;
use super::inbox::Inbox;
use super::lifeline::Lifeline;
use crate::run::{Line, Run, Waker};

/// Owns the inbox, except while it is lent.
pub(crate) struct FrameLine {
    pub(crate) inbox: RefCell<Option<Box<Inbox>>>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) lifeline: Arc<Lifeline>,
    pub(crate) waker: Arc<Waker>,
}

impl Line for FrameLine {
    fn pump(&self, run: &Arc<Run>, timeout: Option<Duration>) {
        if let Some(inbox) = self.inbox.borrow_mut().as_mut() {
            self.dispatch.pump(inbox, &self.waker, run, timeout);
        }
    }

    fn lend(&self, run: &Arc<Run>, body: &mut dyn FnMut()) {
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
