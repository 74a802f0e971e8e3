//! Text that any database stores. PostgreSQL has no character zero, neither raw nor as an escape in JSON, and no half
//! of a surrogate pair; log lines and error messages lose them on both databases rather than failing the execution
//! they tell about.

use std::borrow::Cow;

use muster_protocol::value;
use serde_json::value::RawValue;

/// The text with every character zero replaced.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    value::clean(text)
}

/// The JSON text without what no database stores.
pub(crate) fn storable_json(json: &RawValue) -> Cow<'_, str> {
    value::replace_unstorable(json.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_zero_is_replaced_and_nothing_else() {
        assert_eq!(storable("a\0b"), "a\u{FFFD}b");
    }
}
