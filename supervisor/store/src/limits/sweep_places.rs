//! Where the sweep of a process goes on, so that it comes to all that waits, however much of it has no room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far the sweep has come among the texts that rows wait for, by what these begin with.
#[derive(Debug, Default)]
pub(crate) struct SweepPlaces(Mutex<HashMap<&'static str, String>>);

impl SweepPlaces {
    /// From which text on to look, and from the first one the next time, unless it is said otherwise.
    pub(crate) fn take(&self, beginning: &'static str) -> String {
        self.places().remove(beginning).unwrap_or_else(|| beginning.to_owned())
    }

    /// There is more, from this text on.
    pub(crate) fn go_on(&self, beginning: &'static str, from: String) {
        self.places().insert(beginning, from);
    }

    fn places(&self) -> MutexGuard<'_, HashMap<&'static str, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From which text on there may be more, behind a page of so many at most: the first one after its last.
pub(crate) fn behind(page: &[String], most: usize) -> Option<String> {
    // No database keeps a zero in a text.
    page.last().filter(|_| page.len() >= most).map(|last| format!("{last}\u{1}"))
}
