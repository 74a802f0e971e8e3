//! The names others depend on, held against lists: settings, commands and flags, tables and columns, keys and channels,
//! endpoints and fields, metrics. Each list is what a real binary or server says of itself.
//!
//! A name that is gone fails a test: somebody's script or dashboard used it. A name that is new fails it until it is in
//! the list: `MUSTER_BLESS=1` adds it, and never takes one out.

#![expect(clippy::disallowed_methods, reason = "the suite runs the binaries as a user does")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod cache;
mod commands;
mod http;
mod tables;

use std::collections::BTreeSet;

use muster_tests::binaries::repository;

/// Names, one a line.
type Names = BTreeSet<String>;

/// Holds the names that were found against a list in this folder.
#[track_caller]
fn compare(list: &str, found: &Names) {
    let path = repository("tests/tests/names").join(list);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let listed: Names = text.lines().map(ToOwned::to_owned).collect();
    let gone: Vec<_> = listed.difference(found).collect();
    assert!(gone.is_empty(), "in {list}, and no longer there: {gone:#?}");
    let new: Vec<_> = found.difference(&listed).collect();
    if !new.is_empty() && std::env::var_os("MUSTER_BLESS").is_some() {
        let lines: String = found.iter().map(|name| format!("{name}\n")).collect();
        return std::fs::write(&path, lines).unwrap();
    }
    assert!(new.is_empty(), "not in {list} (MUSTER_BLESS=1 adds what is meant to stay): {new:#?}");
}
