//! User data as text: what is checked of it and how it is shown, without ever making a tree of it.
//!
//! Parameters, results, state and whatever else users write is JSON text from end to end. Everything here runs over
//! its bytes, in a loop and not by recursion, so that no value costs more than its length. What is valid JSON and
//! what is not is serde's to say ([`serde_json::value::RawValue`]); nothing here fails on text that is neither.

mod digest;
mod schema;
mod shape;

pub use digest::digest;
pub use schema::{Schema, check_schema};
pub use shape::{one_line, one_line_raw};

use muster_protocol::value;
use serde_json::value::RawValue;

/// Holds JSON text that goes by `name` to the bounds of what is stored.
///
/// # Errors
/// What is said of the first thing that is out of bounds: `params.items[3].price: is ...`.
pub fn check(json: &str, name: &str) -> Result<(), String> {
    value::check_stored(json.as_bytes(), name).map_err(|unfit| unfit.of_field())
}

/// What parameters are when nobody gave any.
pub fn empty_object() -> Box<RawValue> {
    // `{}` is JSON, so the other arm is never taken; null is what a run without parameters would get.
    RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
