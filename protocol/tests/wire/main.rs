//! The wire, checked from outside the crate: golden bytes, properties both ways, hostile input.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod decoder;
mod hex;
mod properties;
mod samples;
mod specification;
mod strategies;
mod vectors;
