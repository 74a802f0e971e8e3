//! What a run asks to be changed when it ends: bounded, and the last write of a key counts.

use std::collections::HashMap;
use std::sync::Arc;

use muster_core::execution::Change;
use muster_protocol::ErrorInfo;
use muster_protocol::limits::{RUN_CHANGES_MAX_BYTES, RUN_CHILDREN_MAX};

/// The pending changes of one run.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    /// Shared with live views, so that a large value is not copied for them.
    list: Vec<Arc<Change>>,
    /// Where the write of a key stands in the list.
    written: HashMap<String, usize>,
    children: usize,
    bytes: usize,
}

impl PendingChanges {
    /// Takes a change. A write takes the place of an earlier one of its key.
    pub(super) fn put(&mut self, change: Change) -> Result<Arc<Change>, ErrorInfo> {
        let change = Arc::new(change);
        let key = key_of(&change);
        let place = key.and_then(|key| self.written.get(key)).copied();
        let replaced =
            place.and_then(|place| self.list.get(place)).map_or(0, |replaced| replaced.size_bytes());
        let bytes = self.bytes - replaced + change.size_bytes();
        if bytes > RUN_CHANGES_MAX_BYTES {
            return Err(too_many(format!(
                "the changes of one execution hold {RUN_CHANGES_MAX_BYTES} bytes at most, and this one would make \
                 them {bytes}: store large values elsewhere and keep a reference"
            )));
        }
        if key.is_none() && self.children >= RUN_CHILDREN_MAX {
            return Err(too_many(format!("one execution submits {RUN_CHILDREN_MAX} others at most")));
        }
        self.bytes = bytes;
        match (place, key) {
            (Some(place), _) => self.list[place] = Arc::clone(&change),
            (None, key) => {
                match key {
                    Some(key) => {
                        self.written.insert(key.to_owned(), self.list.len());
                    }
                    None => self.children += 1,
                }
                self.list.push(Arc::clone(&change));
            }
        }
        Ok(change)
    }

    /// What the run wrote to a key, if it did.
    pub(super) fn of_key(&self, key: &str) -> Option<&Change> {
        self.list.get(*self.written.get(key)?).map(|change| &**change)
    }

    /// How much they hold.
    pub(super) fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, to be applied.
    pub(super) fn into_list(self) -> Vec<Change> {
        self.list.into_iter().map(Arc::unwrap_or_clone).collect()
    }
}

fn key_of(change: &Change) -> Option<&str> {
    match change {
        Change::SetState { key, .. } | Change::DeleteState { key } => Some(key),
        Change::Submit { .. } => None,
    }
}

fn too_many(message: String) -> ErrorInfo {
    ErrorInfo::new("TooManyChanges", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use uuid::Uuid;

    fn set(key: &str, bytes: usize) -> Change {
        let value = RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap();
        Change::SetState { key: key.to_owned(), value }
    }

    #[test]
    fn one_key_written_for_ever_stays_one_change() {
        let mut changes = PendingChanges::default();
        for _ in 0..100 {
            changes.put(set("a", 1 << 20)).unwrap();
        }
        changes.put(Change::DeleteState { key: "a".to_owned() }).unwrap();
        assert!(matches!(changes.of_key("a"), Some(Change::DeleteState { .. })));
        assert_eq!(changes.into_list().len(), 1);
    }

    #[test]
    fn what_is_too_much_is_refused_and_what_was_there_stays() {
        let mut changes = PendingChanges::default();
        changes.put(set("a", 9 << 20)).unwrap();
        let refused = changes.put(set("b", 9 << 20)).unwrap_err();
        assert_eq!(refused.kind, "TooManyChanges");
        changes.put(set("a", 15 << 20)).unwrap();
        assert!(changes.of_key("b").is_none());
    }

    #[test]
    fn children_are_counted() {
        let mut changes = PendingChanges::default();
        let child = || Change::Submit {
            execution_id: Uuid::nil(),
            workflow: "w".to_owned(),
            parameters: RawValue::NULL.to_owned(),
        };
        for _ in 0..RUN_CHILDREN_MAX {
            changes.put(child()).unwrap();
        }
        assert_eq!(changes.put(child()).unwrap_err().kind, "TooManyChanges");
        changes.put(set("a", 1)).unwrap();
    }
}
