//! Lone surrogates in JSON text.
//!
//! A JavaScript string may hold half of a surrogate pair, and `JSON.stringify` writes it as an escape that most
//! other parsers and databases refuse. Such halves become U+FFFD, as `String.prototype.toWellFormed` has it.

/// Replaces the escapes of lone surrogates. Whole pairs are never written as escapes.
pub(crate) fn mend(text: String) -> String {
    if !text.contains("\\ud") {
        return text;
    }
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let is_surrogate = escape.starts_with("\\ud")
            && escape.as_bytes().get(3).is_some_and(|digit| matches!(digit, b'8'..=b'9' | b'a'..=b'f'));
        // Every escape is a backslash and one character, or \u and four digits; the digits need no care here.
        let length = if is_surrogate { 6 } else { 2 };
        let (escape, after) = escape.split_at_checked(length).unwrap_or((escape, ""));
        mended.push_str(if is_surrogate { "\\ufffd" } else { escape });
        rest = after;
    }
    mended.push_str(rest);
    mended
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn only_escapes_of_surrogates_are_replaced() {
        let mended = |text: &str| mend(text.to_owned());
        assert_eq!(mended(r#"["a\ud800b","\udfff"]"#), r#"["a\ufffdb","\ufffd"]"#);
        for text in [r#""\\ud800""#, r#""\u0000 \n \\""#, r#""\ud7ff""#, r#""ä\\\\ud812""#, "1"] {
            assert_eq!(mended(text), text);
        }
        assert_eq!(mended(r#""\\\ud800""#), r#""\\\ufffd""#);
    }
}
