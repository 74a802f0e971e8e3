//! What a run says to people, in a form that every store keeps: cut, and fixed instead of refused.

use muster_protocol::limits::{IDENTIFIER_MAX_BYTES, LOG_MESSAGE_MAX_BYTES};
use muster_protocol::value::{self, InvalidValue};
use muster_protocol::{ErrorInfo, JsonBytes, error_type};
use serde_json::json;

/// Cuts a text at a character border and says how much is gone. U+FFFD stands for what no store keeps.
pub(super) fn cut(text: &str, max_bytes: usize) -> String {
    let text = value::clean(text);
    if text.len() <= max_bytes {
        return text.into_owned();
    }
    let mark = format!(" … [{} bytes cut]", text.len() - max_bytes);
    let mut end = max_bytes.saturating_sub(mark.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{mark}", &text[..end])
}

/// An error is read by people; a longer one would not fit in a frame.
pub(super) fn error(error: &ErrorInfo) -> ErrorInfo {
    ErrorInfo {
        kind: cut(&error.kind, IDENTIFIER_MAX_BYTES),
        message: cut(&error.message, LOG_MESSAGE_MAX_BYTES),
        stack: cut(&error.stack, LOG_MESSAGE_MAX_BYTES),
        retryable: error.retryable,
    }
}

/// The fields of a log record as an object that can be kept. What cannot is left out, and said to be.
pub(super) fn fields(fields: JsonBytes) -> JsonBytes {
    if fields.is_none() {
        return fields;
    }
    if fields.0.len() > LOG_MESSAGE_MAX_BYTES {
        return JsonBytes::of(&json!({ "fields_dropped_bytes": fields.0.len() }));
    }
    let text = String::from_utf8_lossy(&fields.0);
    let fixed = value::replace_unstorable(&text);
    if let Err(unfit) = value::check(fixed.as_bytes(), "") {
        return JsonBytes::of(&json!({ "fields_dropped": unfit.to_string() }));
    }
    let fixed = fixed.into_owned();
    JsonBytes::from(if fixed.starts_with('{') { fixed } else { format!("{{\"value\":{fixed}}}") })
}

/// The error of a call whose parameters cannot be kept.
pub(crate) fn refused_call(method: &str, unfit: &InvalidValue) -> ErrorInfo {
    let mut error = ErrorInfo::new(error_type::INVALID_VALUE, format!("{method} is refused: {unfit}"));
    error.retryable = Some(false);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_border_and_marked() {
        assert_eq!(cut("short", 10), "short");
        let cut = cut(&"ä".repeat(100), 101);
        assert!(cut.len() <= 101, "{}", cut.len());
        assert!(cut.ends_with("bytes cut]"), "{cut}");
    }

    #[test]
    fn what_no_store_keeps_is_mended_or_left_out() {
        let told = |json: &str| fields(JsonBytes::from(json)).into_text().unwrap();
        assert_eq!(cut("a\0b", 10), "a\u{fffd}b");
        assert_eq!(told(r#"{"a":"\ud83d","b\u0000":1}"#), r#"{"a":"\ufffd","b\ufffd":1}"#);
        assert_eq!(told("[1]"), r#"{"value":[1]}"#);
        assert!(told(r#"{"a":1e999}"#).contains("a is a number that no double holds"));
        assert_eq!(told(&format!("\"{}\"", "x".repeat(70_000))), r#"{"fields_dropped_bytes":70002}"#);
    }
}
