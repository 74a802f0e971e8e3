//! Text that any database stores. PostgreSQL has no character zero, neither raw nor as an escape in JSON;
//! log lines and error messages lose it on both databases rather than failing the execution they tell about.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The text with every character zero replaced.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// The JSON text with every escaped character zero replaced.
pub(super) fn storable_json(json: &RawValue) -> Cow<'_, str> {
    let text = json.get();
    if !text.contains("\\u0000") {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(backslash) = rest.find('\\') {
        let (before, escape) = rest.split_at(backslash);
        cleaned.push_str(before);
        // An escape is a backslash and one character, so `\\u0000` is a backslash followed by plain text.
        let length = if escape.starts_with("\\u0000") { 6 } else { 2 };
        let (escape, after) = escape.split_at(length.min(escape.len()));
        cleaned.push_str(if length == 6 { "\\ufffd" } else { escape });
        rest = after;
    }
    cleaned.push_str(rest);
    Cow::Owned(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_zero_is_replaced_and_nothing_else() {
        assert_eq!(storable("a\0b"), "a\u{FFFD}b");
        let clean = |text: &str| storable_json(&RawValue::from_string(text.to_owned()).unwrap()).into_owned();
        assert_eq!(clean(r#"{"a":"x\u0000y\n"}"#), r#"{"a":"x\ufffdy\n"}"#);
        assert_eq!(clean(r#""\\u0000 \u0000""#), r#""\\u0000 \ufffd""#);
        assert_eq!(clean(r#""\"\u0000""#), r#""\"\ufffd""#);
        assert_eq!(clean(r#""é\\\u0000""#), r#""é\\\ufffd""#);
    }
}
