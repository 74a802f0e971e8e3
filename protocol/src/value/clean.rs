//! Text for people: U+FFFD stands for what no store keeps, and nothing is refused.

use std::borrow::Cow;

use super::escapes::next_escape;

/// JSON text in which U+FFFD stands for what no store keeps in text: U+0000 and half surrogate pairs.
pub fn replace_unstorable(json: &str) -> Cow<'_, str> {
    let (mut fixed, mut kept, mut at) = (String::new(), 0, 0);
    if !json.contains("\\u") {
        return Cow::Borrowed(json);
    }
    while let Some((start, end, problem)) = next_escape(json.as_bytes(), at) {
        at = end;
        if problem.is_some() {
            fixed.push_str(json.get(kept..start).unwrap_or_default());
            fixed.push_str("\\ufffd");
            kept = end;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    fixed.push_str(json.get(kept..).unwrap_or_default());
    Cow::Owned(fixed)
}

/// Text in which U+FFFD stands for U+0000.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_store_keeps_is_mended() {
        assert_eq!(replace_unstorable(r#"["a\ud800b","\uDFFF\u0000"]"#), r#"["a\ufffdb","\ufffd\ufffd"]"#);
        assert_eq!(replace_unstorable(r#""\\\ud800""#), r#""\\\ufffd""#);
        for json in
            [r#""\\ud800""#, r#""\u0001 \n \\""#, r#""\ud7ff""#, r#""ä\\\\ud812""#, r#""\ud83d\ude00""#, "1"]
        {
            assert_eq!(replace_unstorable(json), json);
        }
        assert_eq!((clean("a\0b"), clean("ab")), ("a\u{fffd}b".into(), "ab".into()));
    }

    #[test]
    fn what_no_database_stores_is_replaced_and_nothing_else() {
        assert_eq!(replace_unstorable(r#"{"a":"x\u0000y\n"}"#), r#"{"a":"x\ufffdy\n"}"#);
        assert_eq!(replace_unstorable(r#""\\u0000 \u0000""#), r#""\\u0000 \ufffd""#);
        assert_eq!(replace_unstorable(r#""é\\\u0000""#), r#""é\\\ufffd""#);
        assert_eq!(
            replace_unstorable(r#"{"k\ud83d":"\udc00 \ud83d\ude00 \ud83d"}"#),
            r#"{"k\ufffd":"\ufffd \ud83d\ude00 \ufffd"}"#
        );
        assert_eq!(replace_unstorable(r#""\ud83d\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        assert!(matches!(replace_unstorable(r#""\u00e9""#), Cow::Borrowed(_)));
    }
}
