//! JSON text in another shape and with the same values: on one line, or without what no database stores.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::scan::Escape;
use super::tokens::{Token, tokens};

/// The text on one line. Where it holds line breaks, which can only stand between tokens, every blank between tokens
/// goes; nothing else changes.
pub fn one_line(json: &str) -> Cow<'_, str> {
    if !json.contains(['\n', '\r']) {
        return Cow::Borrowed(json);
    }
    let mut line = String::with_capacity(json.len());
    let blank = [' ', '\t', '\n', '\r'];
    let mut copied = 0;
    for (token, place) in tokens(json) {
        if token == Token::String {
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

/// The text with each U+0000 and each half of a surrogate pair replaced by U+FFFD.
pub fn cleaned(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    let (mut clean, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        at = start
            + match Escape::at(json.as_bytes().get(start..).unwrap_or_default()) {
                Escape::Short => 2,
                Escape::Unit | Escape::Invalid => 6,
                Escape::Pair => 12,
                Escape::Zero | Escape::Half => {
                    clean.push_str(json.get(copied..start).unwrap_or_default());
                    clean.push_str("\\ufffd");
                    copied = start + 6;
                    6
                }
            };
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    clean.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
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

    #[test]
    fn what_no_database_stores_is_replaced_and_nothing_else() {
        assert_eq!(cleaned(r#"{"a":"x\u0000y\n"}"#), r#"{"a":"x\ufffdy\n"}"#);
        assert_eq!(cleaned(r#""\\u0000 \u0000""#), r#""\\u0000 \ufffd""#);
        assert_eq!(cleaned(r#""é\\\u0000""#), r#""é\\\ufffd""#);
        assert_eq!(
            cleaned(r#"{"k\ud83d":"\udc00 \ud83d\ude00 \ud83d"}"#),
            r#"{"k\ufffd":"\ufffd \ud83d\ude00 \ufffd"}"#
        );
        assert_eq!(cleaned(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        assert!(matches!(cleaned(r#""\u00e9""#), Cow::Borrowed(_)));
    }
}
