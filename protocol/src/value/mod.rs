//! What JSON text may hold so that every store keeps it and every worker reads it, and what to do with the rest.
//!
//! A value that people rely on (parameters, a result, state) is refused with its place; what is only read (a log, a
//! progress message, an error) is fixed. Text is looked at in a loop and never made a tree of, so that no value
//! costs more than its length. This is no validator: what it is given must be JSON already, and nothing here fails
//! on text that is none.

mod check;
mod clean;
mod escapes;
mod path;
mod problem;
mod tokens;

pub use check::{check, check_shape, check_stored};
pub use clean::{clean, replace_unstorable};
pub use path::is_plain_key;
pub use problem::{InvalidValue, ValueProblem};
pub use tokens::{JsonToken, JsonTokens, tokens};
