//! How an organization is called: by its key, by its id, or by a name that is no other's.

use muster_store::{Definitions, OrganizationRecord};
use uuid::Uuid;

use super::problem::meant;

/// What stands for everybody's in a file, so no organization may be called so.
pub(super) const GLOBAL: &str = "global";

/// The longest key.
const KEY_MAX_BYTES: usize = 63;

/// The rule of keys.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    let fits = (1..=KEY_MAX_BYTES).contains(&key.len())
        && key.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.'))
        && key.starts_with(|one: char| one.is_ascii_alphanumeric());
    if !fits {
        return Err(format!(
            "{key:?} must be 1 to {KEY_MAX_BYTES} letters, digits, dots, dashes and underscores, and begin with a \
             letter or digit"
        ));
    }
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

/// The same, given its id. One that has no row is called by its id.
pub(super) fn key_of_id(definitions: &Definitions, id: Option<Uuid>) -> Option<String> {
    let id = id?;
    let known = definitions.organizations.iter().find(|organization| organization.id == id);
    Some(known.map_or_else(|| id.to_string(), key_of))
}

/// The organization that is called so.
pub(super) fn find<'a>(definitions: &'a Definitions, called: &str) -> Option<&'a OrganizationRecord> {
    let all = &definitions.organizations;
    let by_key = all.iter().find(|one| one.key.as_deref() == Some(called));
    let by_id = || all.iter().find(|one| called.parse() == Ok(one.id));
    let by_name = || {
        let mut named = all.iter().filter(|one| one.name == called);
        named.next().filter(|_| named.next().is_none())
    };
    by_key.or_else(by_id).or_else(by_name)
}

/// The id of the organization that is called so. An id that no row has will do: not every organization needs one.
///
/// # Errors
/// When there is none, with the nearest one that there is.
pub fn id_of(definitions: &Definitions, called: &str) -> Result<Uuid, String> {
    if let Some(found) = find(definitions, called) {
        return Ok(found.id);
    }
    let keys: Vec<String> = definitions.organizations.iter().map(key_of).collect();
    called.parse().map_err(|_| {
        let hint = meant(called, keys.iter().map(String::as_str));
        format!(
            "there is no organization {called:?}{hint} (`supervisor organization list` shows them, \
             `supervisor organization set {called}` makes one)"
        )
    })
}
