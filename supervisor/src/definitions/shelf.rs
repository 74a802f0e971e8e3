//! The rows of one kind, found by their ids and by what is said of them: a plan of many things that read all of them for each
//! would take hours where it should take a moment.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use muster_store::{
    ConfigRecord, LimitRecord, OrganizationRecord, ScheduleRecord, WebhookRecord, WorkflowRecord,
};
use uuid::Uuid;

/// What rows are found by, besides their ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// The name, which others may have, too.
    Name(String),
    /// The name among those of the same owner.
    OwnName(Option<Uuid>, String),
    /// The word that an organization is known by.
    Key(String),
    /// The organization that it belongs to.
    Owner(Uuid),
    /// A limit that it names.
    Limit(String),
    /// A webhook that it names.
    Webhook(String),
}

/// A row that can be kept so.
pub(super) trait Shelved {
    /// What no other row of the kind has.
    type Id: Clone + Ord;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What else it is found by.
    fn marks(&self) -> Vec<Mark>;
}

/// The rows of one kind.
#[derive(Debug)]
pub(super) struct Shelf<T: Shelved> {
    rows: BTreeMap<T::Id, T>,
    marked: BTreeMap<Mark, BTreeSet<T::Id>>,
    /// How many rows were given, so that a test sees when a plan reads more than it must.
    read: Cell<usize>,
}

impl<T: Shelved> Shelf<T> {
    /// With all these rows on it.
    pub(super) fn of(rows: impl IntoIterator<Item = T>) -> Self {
        let mut shelf = Self { rows: BTreeMap::new(), marked: BTreeMap::new(), read: Cell::new(0) };
        for row in rows {
            shelf.put(row);
        }
        shelf
    }

    /// Adds a row, in the place of the one with its id.
    pub(super) fn put(&mut self, row: T) {
        let id = row.id();
        self.remove(&id);
        for mark in row.marks() {
            self.marked.entry(mark).or_default().insert(id.clone());
        }
        self.rows.insert(id, row);
    }

    /// Takes a row away.
    pub(super) fn remove(&mut self, id: &T::Id) {
        let Some(row) = self.rows.remove(id) else { return };
        for mark in row.marks() {
            if let Some(ids) = self.marked.get_mut(&mark) {
                ids.remove(id);
                if ids.is_empty() {
                    self.marked.remove(&mark);
                }
            }
        }
    }

    /// The row of this id.
    pub(super) fn get(&self, id: &T::Id) -> Option<&T> {
        self.rows.get(id).inspect(|_| self.count())
    }

    /// The rows that have this mark, by id.
    pub(super) fn marked(&self, mark: &Mark) -> impl Iterator<Item = &T> {
        self.marked.get(mark).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// All rows, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.rows.values().inspect(|_| self.count())
    }

    /// How many rows were given so far.
    #[cfg(test)]
    pub(super) fn read(&self) -> usize {
        self.read.get()
    }

    fn count(&self) {
        self.read.set(self.read.get().wrapping_add(1));
    }
}

impl Shelved for OrganizationRecord {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.id
    }

    fn marks(&self) -> Vec<Mark> {
        let key = self.key.clone().map(Mark::Key);
        key.into_iter().chain([Mark::Name(self.name.clone())]).collect()
    }
}

impl Shelved for WorkflowRecord {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.id
    }

    fn marks(&self) -> Vec<Mark> {
        let limits = self.admission.limits.iter().flatten().cloned().map(Mark::Limit);
        let own = Mark::OwnName(self.organization_id, self.name.clone());
        let webhook = self.webhook.clone().map(Mark::Webhook);
        limits.chain([own]).chain(self.organization_id.map(Mark::Owner)).chain(webhook).collect()
    }
}

impl Shelved for ConfigRecord {
    type Id = (Option<Uuid>, String);

    fn id(&self) -> Self::Id {
        (self.organization_id, self.key.clone())
    }

    fn marks(&self) -> Vec<Mark> {
        self.organization_id.map(Mark::Owner).into_iter().collect()
    }
}

impl Shelved for ScheduleRecord {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.id
    }

    fn marks(&self) -> Vec<Mark> {
        let name = Mark::Name(self.name.clone());
        self.organization_id.map(Mark::Owner).into_iter().chain([name]).collect()
    }
}

impl Shelved for WebhookRecord {
    type Id = Uuid;

    fn id(&self) -> Uuid {
        self.id
    }

    fn marks(&self) -> Vec<Mark> {
        vec![Mark::Name(self.name.clone())]
    }
}

impl Shelved for LimitRecord {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn marks(&self) -> Vec<Mark> {
        Vec::new()
    }
}
