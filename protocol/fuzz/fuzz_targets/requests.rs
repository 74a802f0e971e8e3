//! What a queue's message or a body over HTTP asks for: it is a request, or a refusal with its reasons.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muster_core::execution::RequestDraft;

fuzz_target!(|body: &[u8]| {
    match RequestDraft::parse(body) {
        Ok(draft) => drop(draft.into_request()),
        Err(refusal) => assert!(!refusal.problems.is_empty(), "a refusal says why"),
    }
});
