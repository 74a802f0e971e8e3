//! The conformance kit, proved from both sides: the workers of this repository pass all of it, and each of a set
//! of deliberately wrong workers fails exactly its check.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod kit;
mod right;
mod wrong;
