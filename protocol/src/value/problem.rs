//! Why a value cannot be kept, in the words of every SDK and every door.

use std::fmt;

use crate::limits::{JSON_DEPTH_MAX, JSON_DIGITS_MAX, JSON_EXPONENT_MAX};

/// Why a value cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// Arrays and objects are nested deeper than [`JSON_DEPTH_MAX`].
    #[error(
        "is nested more than {JSON_DEPTH_MAX} deep; flatten it, or store it elsewhere and pass a reference"
    )]
    TooDeep,
    /// A number above what a double holds.
    #[error("is a number that no double holds; write it as a string")]
    TooLarge,
    /// What a language has for a number, and JSON has not.
    #[error("is {number}; JSON has no such number, write null or a string instead")]
    NoNumber {
        /// `NaN`, `Infinity` or `-Infinity`.
        number: &'static str,
    },
    /// A number with a huge exponent.
    #[error("is a number with an exponent beyond {JSON_EXPONENT_MAX}; write it as a string")]
    Exponent,
    /// A number that goes on and on.
    #[error("is a number of more than {JSON_DIGITS_MAX} digits; write it as a string")]
    Digits,
    /// Half of a surrogate pair: text that no UTF-8 holds.
    #[error("holds half of a surrogate pair, which is no text; cut text between whole characters")]
    HalfPair,
    /// U+0000, which PostgreSQL holds in no text.
    #[error("holds the character U+0000, which databases do not keep; remove it")]
    Nul,
}

/// A place in a value that cannot be kept, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    /// `result.items[0].name`, or `a key of result.items[0]`.
    pub path: String,
    /// What is wrong with the value there.
    pub problem: ValueProblem,
}

impl InvalidValue {
    /// The place and, behind a colon, the problem: as the supervisor speaks of each field that it refuses.
    pub fn of_field(&self) -> String {
        if self.path.is_empty() {
            self.problem.to_string()
        } else {
            format!("{}: {}", self.path, self.problem)
        }
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}
