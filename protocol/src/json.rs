//! JSON lines mode: the same messages, one line of JSON each, externally tagged with the same names.
//!
//! A `bytes` field is the JSON value itself, inline (absent or null means none); the code of an inline
//! source is a string. A message whose tag is not known is skipped, as an unknown index is in frames.

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};

use crate::codec::{Decoded, Message};

/// Why a line is not a message, or a message does not become a line.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The line is no JSON, or not a message's shape.
    #[error("the line is not a message: {0}")]
    Malformed(serde_json::Error),
    /// A `bytes` field holds something that is not JSON.
    #[error("the message cannot be written as JSON: {0}")]
    Encode(serde_json::Error),
}

/// The message as one line, without the line's end.
///
/// # Errors
/// When a `bytes` field does not hold JSON.
pub fn to_line<M: Message>(message: &M) -> Result<String, JsonError> {
    serde_json::to_string(message).map_err(JsonError::Encode)
}

/// Reads one line.
///
/// # Errors
/// When the line is not a message of this direction.
pub fn from_line<M: Message>(line: &str) -> Result<Decoded<M>, JsonError> {
    match serde_json::from_str::<M>(line) {
        Ok(message) => Ok(Decoded::Message(message)),
        Err(error) if is_unknown_tag::<M>(line, &error) => Ok(Decoded::Unknown { index: u32::MAX }),
        Err(error) => Err(JsonError::Malformed(error)),
    }
}

/// True for `{"SomethingNew": ...}`: one key, and the only complaint is that the key names no variant.
fn is_unknown_tag<M: DeserializeOwned>(line: &str, error: &serde_json::Error) -> bool {
    let Ok(object) = serde_json::from_str::<std::collections::BTreeMap<String, IgnoredAny>>(line) else {
        return false;
    };
    let mut tags = object.into_keys();
    match (tags.next(), tags.next()) {
        (Some(tag), None) => {
            error.to_string().starts_with(&format!("unknown variant `{tag}`"))
                // The complaint must be about the outer tag: the same name with an empty body fails alike.
                && serde_json::from_value::<M>(serde_json::json!({ tag.as_str(): {} }))
                    .is_err_and(|error| error.to_string().starts_with(&format!("unknown variant `{tag}`")))
        }
        (Some(_), Some(_)) | (None, _) => false,
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
        let text = std::str::from_utf8(&bytes.0).map_err(S::Error::custom)?;
        // Line breaks are legal between JSON tokens and nowhere else, but a message is one line.
        let text =
            if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text.to_owned() };
        RawValue::from_string(text).map_err(S::Error::custom)?.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<JsonBytes, D::Error> {
        let value = Option::<Box<RawValue>>::deserialize(from)?;
        Ok(value
            .map_or(JsonBytes::NONE, |value| JsonBytes(String::from(Box::<str>::from(value)).into_bytes())))
    }
}

/// The code of an inline source: a string.
pub(crate) mod text_bytes {
    use serde::{Deserialize, Deserializer, Serializer, ser::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(std::str::from_utf8(bytes).map_err(S::Error::custom)?)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(from).map(String::into_bytes)
    }
}

/// Keeps `serde::de::Error` in use for callers that build [`JsonError`] from a plain text.
impl JsonError {
    /// A complaint about a line that serde did not raise.
    pub fn malformed(reason: impl std::fmt::Display) -> Self {
        Self::Malformed(serde_json::Error::custom(reason))
    }
}
