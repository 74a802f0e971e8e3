//! Whether two values of configuration are the same: a database may have spelled one in its own way.

use muster_protocol::compare::is_kept;
use serde_json::value::RawValue;

/// Whether what is kept says what was given, whatever blanks and order it has. No digit of a number is left out.
pub fn is_same(given: &RawValue, kept: &RawValue) -> bool {
    given.get() == kept.get() || is_kept(given.get(), kept.get())
}
