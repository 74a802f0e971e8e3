//! A value as the check sees it: read one level deep, compared, and quoted for people.

use std::collections::BTreeMap;

use muster_protocol::compare::ExactNumber;
use serde_json::value::RawValue;

/// So deep a value is followed; below it everything is right.
pub(super) const DEPTH_MAX: usize = 64;
/// How much of a value is quoted.
const QUOTED_MAX_CHARS: usize = 60;

/// A value, read one level deep.
pub(super) enum JsonShape<'a> {
    Null,
    Boolean,
    /// `None` when it is no number we can judge.
    Number(Option<ExactNumber>),
    Text(String),
    Array(Vec<&'a RawValue>),
    Object(BTreeMap<String, &'a RawValue>),
}

impl<'a> JsonShape<'a> {
    pub(super) fn read(value: &'a RawValue) -> Option<Self> {
        let text = value.get();
        Some(match text.as_bytes().first()? {
            b'n' => Self::Null,
            b't' | b'f' => Self::Boolean,
            b'"' => Self::Text(serde_json::from_str(text).ok()?),
            b'[' => Self::Array(serde_json::from_str(text).ok()?),
            b'{' => Self::Object(serde_json::from_str(text).ok()?),
            _ => Self::Number(ExactNumber::read(text)),
        })
    }

    /// The name of its type, for people.
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    pub(super) fn is(&self, type_name: &str) -> bool {
        match type_name {
            "null" => matches!(self, Self::Null),
            "boolean" => matches!(self, Self::Boolean),
            "number" => matches!(self, Self::Number(_)),
            "integer" => match self {
                Self::Number(number) => number.as_ref().is_none_or(ExactNumber::is_whole),
                Self::Null | Self::Boolean | Self::Text(_) | Self::Array(_) | Self::Object(_) => false,
            },
            "string" => matches!(self, Self::Text(_)),
            "array" => matches!(self, Self::Array(_)),
            "object" => matches!(self, Self::Object(_)),
            // A type of another world: not ours to judge.
            _ => true,
        }
    }
}

/// The same value, numbers by what they are worth. What is too deep to compare counts as the same.
pub(super) fn same(one: &RawValue, other: &RawValue, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return true;
    }
    match (JsonShape::read(one), JsonShape::read(other)) {
        (Some(JsonShape::Null), Some(JsonShape::Null)) => true,
        (Some(JsonShape::Boolean), Some(JsonShape::Boolean)) => one.get() == other.get(),
        (Some(JsonShape::Number(one)), Some(JsonShape::Number(other))) => match (one, other) {
            (Some(one), Some(other)) => one == other,
            (Some(_) | None, None) | (None, Some(_)) => true,
        },
        (Some(JsonShape::Text(one)), Some(JsonShape::Text(other))) => one == other,
        (Some(JsonShape::Array(one)), Some(JsonShape::Array(other))) => {
            one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same(one, other, depth + 1))
        }
        (Some(JsonShape::Object(one)), Some(JsonShape::Object(other))) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| same(one, other, depth + 1)))
        }
        (Some(_), Some(_)) => false,
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

/// The value where it is short, else its kind.
pub(super) fn quoted(value: &RawValue, shape: &JsonShape<'_>) -> String {
    match shape {
        JsonShape::Null | JsonShape::Boolean | JsonShape::Number(_) => brief(value.get()),
        JsonShape::Text(_) => format!("the text {}", brief(value.get())),
        JsonShape::Array(_) | JsonShape::Object(_) => shape.kind().to_owned(),
    }
}

pub(super) fn brief(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
