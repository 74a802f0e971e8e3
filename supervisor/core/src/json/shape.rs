//! JSON text in another shape and with the same values: on one line.

use std::borrow::Cow;

use muster_protocol::value::{JsonToken, tokens};
use serde_json::value::RawValue;

/// The text on one line. Where it holds line breaks, which can only stand between tokens, every blank between tokens
/// goes; nothing else changes.
pub fn one_line(json: &str) -> Cow<'_, str> {
    if !json.contains(['\n', '\r']) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len());
    let blank = [' ', '\t', '\n', '\r'];
    let mut copied = 0;
    for (token, place) in tokens(json.as_bytes()) {
        if token == JsonToken::String {
            line.extend(json.get(copied..place.start).unwrap_or_default().split(blank));
            line.push_str(json.get(place.clone()).unwrap_or_default());
            copied = place.end;
        }
    }
    line.extend(json.get(copied..).unwrap_or_default().split(blank));
    Cow::Owned(line)
}

/// The same for a value that is passed on.
pub fn one_line_raw(json: Box<RawValue>) -> Box<RawValue> {
    match one_line(json.get()) {
        Cow::Borrowed(_) => json,
        // What was JSON stays JSON, so the old text is never taken.
        Cow::Owned(line) => RawValue::from_string(line).unwrap_or(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_changes_nothing_but_blanks_between_tokens() {
        let pretty = "{\r\n  \"a b\" : [ 1.50,\t-0.0, \"x\\n y\\\" z\" ],\n \"n\": null }\n";
        assert_eq!(one_line(pretty), r#"{"a b":[1.50,-0.0,"x\n y\" z"],"n":null}"#);
        assert!(matches!(one_line("{ \"a\" : 1 }"), Cow::Borrowed(_)), "one line already, so byte for byte");
        assert_eq!(one_line("12\n"), "12");
    }
}
