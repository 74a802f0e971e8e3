//! JSON lines mode: the same messages, one line of JSON each, externally tagged with the same names.
//!
//! A `bytes` field is the JSON value itself, inline (absent or null means none); the code of an inline
//! source is a string. A message whose name is not known is skipped, as an unknown index is in frames.
//! Half of a surrogate pair is no text, but a worker that writes its lines by hand (a shell script that cut a
//! line) can send one; U+FFFD stands for it in every text field, because a log line must not cost its execution.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::codec::{Decoded, EncodeError, ProtocolMessage};
use crate::value;

/// Why a line is not a message.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The line is no JSON, or not a message's shape.
    #[error("the line is not a message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The bytes of the line are not UTF-8.
    #[error("the line is not a message: {0}")]
    NotText(#[from] std::str::Utf8Error),
}

/// The message as one line, without the line's end.
///
/// # Errors
/// When a `bytes` field does not hold JSON.
pub fn to_line<M: ProtocolMessage>(message: &M) -> Result<String, EncodeError> {
    serde_json::to_string(message).map_err(EncodeError::NotJson)
}

/// Reads one line.
///
/// # Errors
/// When the line is not a message of this direction.
pub fn from_line<M: ProtocolMessage>(line: &str) -> Result<Decoded<M>, JsonError> {
    let error = match read(line) {
        Ok(decoded) => return Ok(decoded),
        Err(error) => error,
    };
    // No `bytes` field changes in silence by this: beside one a worker sends no text but that of a log record, whose
    // fields are cleaned anyway, and the method of a call, and no method has a name that needs it.
    match value::replace_unstorable(line) {
        Cow::Owned(cleaned) => read(&cleaned).map_err(|_| JsonError::Malformed(error)),
        Cow::Borrowed(_) => Err(JsonError::Malformed(error)),
    }
}

fn read<M: ProtocolMessage>(line: &str) -> Result<Decoded<M>, serde_json::Error> {
    serde_json::from_str(line)
        .map(Decoded::Message)
        .or_else(|error| unknown_name::<M>(line).map(|name| Decoded::Unknown { name }).ok_or(error))
}

/// The name in `{"SomethingNew": ...}`, when no message of version 1 has it.
fn unknown_name<M: ProtocolMessage>(line: &str) -> Option<String> {
    let OnlyName(name) = serde_json::from_str(line).ok()?;
    (!M::NAMES.contains(&name.as_str())).then_some(name)
}

/// The name of an object's only entry. An object that says one name twice has two, as it has for every message.
struct OnlyName(String);

impl<'de> Deserialize<'de> for OnlyName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(OneEntry)
    }
}

struct OneEntry;

impl<'de> Visitor<'de> for OneEntry {
    type Value = OnlyName;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an object with one entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<OnlyName, A::Error> {
        match (entries.next_entry::<String, IgnoredAny>()?, entries.next_key::<IgnoredAny>()?) {
            (Some((name, IgnoredAny)), None) => Ok(OnlyName(name)),
            (Some(_), Some(IgnoredAny)) | (None, None | Some(IgnoredAny)) => {
                Err(A::Error::custom("not one entry"))
            }
        }
    }
}

/// `bytes` fields: the JSON value inline.
pub(crate) mod inline {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error as _};
    use serde_json::value::RawValue;

    use crate::shared::JsonBytes;

    pub(crate) fn serialize<S: Serializer>(bytes: &JsonBytes, to: S) -> Result<S::Ok, S::Error> {
        if bytes.is_none() {
            return to.serialize_unit();
        }
        let value: &RawValue = serde_json::from_slice(&bytes.0).map_err(S::Error::custom)?;
        // Between the tokens of valid JSON a line break is blank space, and it can stand nowhere else.
        if value.get().contains(['\n', '\r']) {
            let one_line = value.get().replace(['\n', '\r'], " ");
            return RawValue::from_string(one_line).map_err(S::Error::custom)?.serialize(to);
        }
        value.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JsonBytes, D::Error> {
        let value = Option::<Box<RawValue>>::deserialize(from)?;
        Ok(value.map_or(JsonBytes::NONE, |value| JsonBytes::from(String::from(Box::<str>::from(value)))))
    }
}

/// The code of an inline source: a string.
pub(crate) mod text_bytes {
    use serde::{Deserialize, Deserializer, Serializer, ser::Error as _};

    use crate::shared::TextBytes;

    pub(crate) fn serialize<S: Serializer>(bytes: &TextBytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(&bytes.0).map_err(S::Error::custom)?)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TextBytes, D::Error> {
        String::deserialize(from).map(TextBytes::from)
    }
}
