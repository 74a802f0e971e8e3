//! JavaScript workflows in the real worker.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]

mod bounds;
mod cancelling;
mod finding;
mod outcomes;
#[path = "../support/mod.rs"]
mod support;
mod talking;
