//! The client and the server, over a real socket and the embedded store; for the fuzzer the router alone.

mod access;
mod answers;
mod documented;
mod executions;
mod fuzzed;
mod logs;
mod pool;
mod served;
mod socket;
mod stand;

pub use fuzzed::FuzzedApi;
