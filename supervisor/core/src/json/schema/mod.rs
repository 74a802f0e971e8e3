//! Whether a value is what a JSON Schema asks for, with all that is wrong with it.
//!
//! This is no complete validator, on purpose. It judges what it can judge exactly: types, the parts of objects and
//! arrays, exact numbers, lengths, listed values, alternatives. Every other keyword (`pattern`, `not`, `if`, what comes
//! later) is passed over, because who is asked next, the worker, checks everything itself: to let something
//! through costs one run, to refuse what is right costs the user. Numbers are compared digit by digit, so no value
//! is judged by the double that is near it. Only what the schema talks about is read, and what that costs is bounded.

mod check;
mod rule;
#[cfg(test)]
mod tests;
mod value;

pub use check::check_schema;
pub use rule::Schema;
