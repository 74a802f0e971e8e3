//! The places in a file, as problems name them.

use muster_core::nearest::nearest;

/// A key as a file spells it.
pub(super) fn key_text(name: &str) -> String {
    let bare =
        !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-'));
    if bare { name.to_owned() } else { format!("{name:?}") }
}

/// The place of a thing, or of a field of it.
pub fn place(section: &str, name: &str, field: Option<&str>) -> String {
    let name = key_text(name);
    match field {
        Some(field) => format!("{section}.{name}.{field}"),
        None => format!("{section}.{name}"),
    }
}

/// "; did you mean X?" when something has a name like it.
pub fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}
