//! How an organization is called: by its key, by its id, or by a name that is no other's.

use muster_store::{Definitions, OrganizationRecord};
use uuid::Uuid;

use super::shelf::{Mark, Shelf};
use muster_api::file::{GLOBAL, meant};

/// The longest key.
const KEY_MAX_BYTES: usize = 63;

/// The rule of names that stand in addresses and on command lines.
///
/// # Errors
/// A sentence that begins with the name.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=KEY_MAX_BYTES).contains(&name.len())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.'))
        && name.starts_with(|one: char| one.is_ascii_alphanumeric());
    if fits {
        return Ok(());
    }
    Err(format!(
        "{name:?} must be 1 to {KEY_MAX_BYTES} letters, digits, dots, dashes and underscores, and begin with a \
         letter or digit"
    ))
}

/// The rule of keys.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    check_name(key)?;
    if key == GLOBAL {
        return Err(format!("{GLOBAL:?} stands for what belongs to no organization: choose another key"));
    }
    if key.parse::<Uuid>().is_ok() {
        return Err(format!("{key:?} looks like an id: choose another key"));
    }
    Ok(())
}

/// What the organization is called everywhere.
pub(super) fn key_of(organization: &OrganizationRecord) -> String {
    organization.key.clone().unwrap_or_else(|| organization.id.to_string())
}

/// The organizations, by what they are called.
pub(super) type OrganizationShelf = Shelf<OrganizationRecord>;

/// The organizations of these definitions.
pub(super) fn organizations_of(definitions: &Definitions) -> OrganizationShelf {
    Shelf::of(definitions.organizations.iter().cloned())
}

impl OrganizationShelf {
    /// What the organization of this id is called. One that has no row is called by its id.
    pub(super) fn key_of_id(&self, id: Option<Uuid>) -> Option<String> {
        let id = id?;
        Some(self.get(&id).map_or_else(|| id.to_string(), key_of))
    }

    /// The organization that is called so.
    pub(super) fn find(&self, called: &str) -> Option<&OrganizationRecord> {
        let by_key = self.marked(&Mark::Key(called.to_owned())).next();
        let by_id = || self.get(&called.parse().ok()?);
        let by_name = || {
            let name = Mark::Name(called.to_owned());
            let mut named = self.marked(&name);
            named.next().filter(|_| named.next().is_none())
        };
        by_key.or_else(by_id).or_else(by_name)
    }

    /// The nearest to what none is called.
    pub(super) fn meant(&self, called: &str) -> String {
        let keys: Vec<String> = self.all().map(key_of).collect();
        meant(called, keys.iter().map(String::as_str))
    }

    /// The id of the organization that is called so. An id that no row has will do: not every organization needs one.
    ///
    /// # Errors
    /// When there is none, with the nearest one that there is.
    pub(super) fn id_of(&self, called: &str) -> Result<Uuid, String> {
        if let Some(found) = self.find(called) {
            return Ok(found.id);
        }
        called.parse().map_err(|_| {
            let hint = self.meant(called);
            format!(
                "there is no organization {called:?}{hint} (`supervisor organization list` shows them, \
                 `supervisor organization set {called}` makes one)"
            )
        })
    }
}

/// What the organization of this id is called: see [`OrganizationShelf`].
pub fn key_of_id(definitions: &Definitions, id: Option<Uuid>) -> Option<String> {
    organizations_of(definitions).key_of_id(id)
}

/// The id of the organization that is called so: see [`OrganizationShelf`].
///
/// # Errors
/// When there is none, with the nearest one that there is.
pub fn id_of(definitions: &Definitions, called: &str) -> Result<Uuid, String> {
    organizations_of(definitions).id_of(called)
}

/// Whether this organization is called so, whatever others there are.
pub fn is_called(definitions: &Definitions, id: Uuid, called: &str) -> bool {
    let itself = definitions.organizations.iter().filter(|row| row.id == id);
    Shelf::of(itself.cloned()).id_of(called) == Ok(id)
}
