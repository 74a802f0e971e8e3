//! The questions a run has asked the supervisor and their answers.
//!
//! At most [`CALLS_IN_FLIGHT_MAX`] are on the wire at once; further ones wait here for their turn, so user
//! code may ask as much as it likes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_protocol::limits::CALLS_IN_FLIGHT_MAX;
use muster_protocol::{CallResult, ErrorInfo, JsonBytes};

/// What to do with an answer.
pub(crate) type OnAnswer = Box<dyn FnOnce(CallResult) + Send>;
/// Writes a call to the wire.
pub(crate) type WriteCall<'a> = &'a mut dyn FnMut(u32, &str, JsonBytes);

/// The calls of one run.
#[derive(Default)]
pub(crate) struct RunCalls {
    state: Mutex<CallsState>,
}

#[derive(Default)]
struct CallsState {
    last: u32,
    in_flight: HashMap<u32, CallUnderWay>,
    waiting: VecDeque<WaitingCall>,
}

struct CallUnderWay {
    method: String,
    answer: OnAnswer,
}

struct WaitingCall {
    method: String,
    params: JsonBytes,
    answer: OnAnswer,
}

impl RunCalls {
    /// Sends a call now, or when its turn comes.
    pub(crate) fn begin(&self, method: &str, params: JsonBytes, answer: OnAnswer, send: WriteCall<'_>) {
        let waiting = WaitingCall { method: method.to_owned(), params, answer };
        let mut state = self.lock();
        if state.in_flight.len() >= CALLS_IN_FLIGHT_MAX {
            state.waiting.push_back(waiting);
            return;
        }
        let (call, params) = state.admit(waiting);
        drop(state);
        send(call, method, params);
    }

    /// Hands an answer to whoever waits for it. One nobody waits for is dropped.
    pub(crate) fn finish(&self, call: u32, result: CallResult, send: WriteCall<'_>) {
        let mut state = self.lock();
        let Some(done) = state.in_flight.remove(&call) else { return };
        let next = state.waiting.pop_front().map(|waiting| {
            let method = waiting.method.clone();
            let (call, params) = state.admit(waiting);
            (call, method, params)
        });
        drop(state);
        if let Some((call, method, params)) = next {
            send(call, &method, params);
        }
        (done.answer)(result);
    }

    /// Fails everything that waits, because no answer can come any more.
    pub(crate) fn fail_all(&self, error: &ErrorInfo) {
        let mut state = self.lock();
        let answers: Vec<OnAnswer> = std::mem::take(&mut state.in_flight)
            .into_values()
            .map(|call| call.answer)
            .chain(std::mem::take(&mut state.waiting).into_iter().map(|call| call.answer))
            .collect();
        drop(state);
        for answer in answers {
            answer(CallResult::Err { error: error.clone() });
        }
    }

    /// The methods of the calls on the wire.
    pub(crate) fn methods(&self) -> Vec<String> {
        self.lock().in_flight.values().map(|call| call.method.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, CallsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallsState {
    fn admit(&mut self, waiting: WaitingCall) -> (u32, JsonBytes) {
        self.last = self.last.wrapping_add(1);
        self.in_flight.insert(self.last, CallUnderWay { method: waiting.method, answer: waiting.answer });
        (self.last, waiting.params)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_call_beyond_the_limit_waits_for_a_reply() {
        let calls = RunCalls::default();
        let answered = Arc::new(AtomicU32::new(0));
        let mut sent = Vec::new();
        for _ in 0..=CALLS_IN_FLIGHT_MAX {
            let answered = Arc::clone(&answered);
            let answer = Box::new(move |_| {
                answered.fetch_add(1, Ordering::Relaxed);
            });
            calls.begin("state.get", JsonBytes::NONE, answer, &mut |call, _, _| sent.push(call));
        }
        assert_eq!(sent.len(), CALLS_IN_FLIGHT_MAX);

        calls.finish(7, CallResult::Ok { value: JsonBytes::NONE }, &mut |call, _, _| sent.push(call));
        assert_eq!(sent.len(), CALLS_IN_FLIGHT_MAX + 1);
        assert_eq!(answered.load(Ordering::Relaxed), 1);

        calls.finish(7, CallResult::Ok { value: JsonBytes::NONE }, &mut |_, _, _| {});
        assert_eq!(answered.load(Ordering::Relaxed), 1, "a second reply to the same call is dropped");
        calls.fail_all(&ErrorInfo::new("Gone", "the supervisor is gone"));
        assert_eq!(answered.load(Ordering::Relaxed), 65);
    }
}
