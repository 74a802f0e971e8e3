//! The conformance kit, proved from both sides: the workers of this repository pass all of it, and each of a set
//! of deliberately wrong workers fails exactly its check.

mod kit;
mod right;
mod wrong;
