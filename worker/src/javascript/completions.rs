//! Answers on their way back into an execution, from whichever thread has them.

use std::sync::{Arc, Mutex, PoisonError};

use muster_protocol::{CallResult, ErrorInfo, JsonBytes};

use crate::run::Waker;

/// What an answer holds.
pub(crate) enum Payload {
    /// The JSON of a call's value.
    Value(JsonBytes),
    /// A response: its head as JSON, and its body.
    Response { head: JsonBytes, body: Vec<u8> },
}

/// The answer to one call or fetch.
pub(crate) struct Completion {
    pub(crate) id: u32,
    pub(crate) result: Result<Payload, ErrorInfo>,
}

/// The answers of one execution that it has not taken yet. Late ones of an earlier execution end up in a queue
/// that nobody reads.
#[derive(Clone)]
pub(crate) struct CompletionQueue {
    queue: Arc<Mutex<Vec<Completion>>>,
    waker: Arc<Waker>,
}

impl CompletionQueue {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Self { queue: Arc::default(), waker }
    }

    /// The reply to a call. It is read on the thread that will take it, so nobody needs to be woken.
    pub(crate) fn reply(&self, id: u32, result: CallResult) {
        let result = match result {
            CallResult::Ok { value } => Ok(Payload::Value(value)),
            CallResult::Err { error } => Err(error),
        };
        self.push(Completion { id, result });
    }

    /// An answer from another thread.
    pub(crate) fn push_and_wake(&self, completion: Completion) {
        self.push(completion);
        self.waker.wake();
    }

    /// Everything that has come.
    pub(crate) fn take(&self) -> Vec<Completion> {
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, completion: Completion) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(completion);
    }
}
