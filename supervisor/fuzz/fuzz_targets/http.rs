//! Requests over HTTP: each is answered, refused with a reason, or waits; none is the supervisor's failure.
#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use muster_supervisor::http::FuzzedApi;

thread_local! {
    static API: LazyCell<FuzzedApi> = LazyCell::new(FuzzedApi::new);
}

fuzz_target!(|request: &[u8]| API.with(|api| api.ask(request)));
